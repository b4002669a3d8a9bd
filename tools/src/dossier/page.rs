//! The report as one page: Japanese first, English beside it; no script, no network, a table under every picture. Writes
//! only what the report holds, and nothing of it as markup.

use std::fmt::{Display, Write as _};

use simulations::play::Cryptography;
use simulations::played::End;

use super::{Act, Dossier, count, picture, words};

/// The page.
pub(super) fn of(dossier: &Dossier) -> String {
    let sections = [
        verdict(dossier),
        guarantees(dossier),
        faults(dossier),
        mutants(dossier),
        map(dossier),
        dossier.acts.iter().map(act).collect(),
        waits(dossier),
        privacy(dossier),
        evidence(dossier),
        unsimulated(),
        again(dossier),
    ];
    format!(
        "<!doctype html>\n<html lang=\"ja\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>繋 検証報告書</title><style>{STYLE}</style></head>\n<body><main>\n{}\n</main></body></html>\n",
        sections.join("\n")
    )
}

/// A text as it may stand in the page.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    out
}

fn verdict(dossier: &Dossier) -> String {
    let plays = dossier.plays().count();
    let questions: u64 = dossier.plays().map(|(_act, _seed, played)| played.questions).sum();
    let met = dossier.acts.iter().flat_map(Act::courses).filter(|course| course.met_fault).count();
    let injected: u64 = dossier.plays().map(|(_act, _seed, played)| played.injected.total()).sum();
    let (mark, japanese, english) = if dossier.is_good() {
        (
            "可",
            "すべての保証が保たれ、起きるべきことはすべて起きました。",
            "Every guarantee held, and all that had to happen happened.",
        )
    } else {
        (
            "否",
            "破られた保証か、起きなかったことがあります。",
            "A guarantee was broken, or something that had to happen did not.",
        )
    };
    let how = match dossier.cryptography {
        Cryptography::Full => ("本物の暗号で上演", "played in full cryptography"),
        Cryptography::Toy => ("模擬暗号で上演(署名と封緘はハッシュで代用)", "played with toy cryptography"),
    };
    let figures = table(
        "上演のあらまし",
        "What was played",
        &["項目", "数"],
        vec![
            row("筋書 / scenarios", &[&dossier.acts.len()]),
            row("上演 / plays", &[&plays]),
            row("照会 / questions", &[&questions]),
            row("障害に遭った照会 / questions that met a fault", &[&met]),
            row("注入した障害と攻撃 / faults and attacks injected", &[&injected]),
        ],
    );
    format!(
        "<h1>繋 検証報告書 <span lang=\"en\">Tsunagi: what the simulator found</span></h1>\
         <p class=\"verdict\"><strong>{mark}</strong> {japanese} <span lang=\"en\">{english}</span></p>\
         <p>{}<span lang=\"en\"> ({}).</span> すべて架空の人です。<span lang=\"en\">Every person is invented.</span></p>{figures}",
        how.0, how.1
    )
}

fn guarantees(dossier: &Dossier) -> String {
    let sums = dossier.guarantees();
    let rows = sums.iter().map(|(name, sum)| {
        let mark = match (sum.evaluated, sum.violations.len()) {
            (0, _) => "未確認 / never tried",
            (_, 0) => "可 / held",
            _ => "否 / broken",
        };
        let name = format!("{}<br><code>{name}</code>", words::guarantee(name));
        marked(&name, &[&mark, &sum.evaluated, &sum.violations.len()])
    });
    let mut out = heading("保証", "Guarantees");
    out.push_str(&table(
        "どの保証を何度確かめたか",
        "How often each was looked at",
        &["保証", "結果", "確認", "違反"],
        rows.collect(),
    ));
    for (name, sum) in sums.iter().filter(|(_name, sum)| !sum.violations.is_empty()) {
        let _written = write!(out, "<h3>{} <code>{name}</code></h3><ul>", words::guarantee(name));
        for violation in sum.violations.iter().take(VIOLATIONS_SHOWN) {
            let _written = write!(
                out,
                "<li>{}<br><code>tsunagi simulate run {} --seed {}</code></li>",
                escaped(&violation.what),
                escaped(&violation.scenario),
                violation.seed
            );
        }
        let rest = sum.violations.len().saturating_sub(VIOLATIONS_SHOWN);
        let _written = write!(out, "</ul><p>ほかに {rest} 件 / {rest} more, in report.json</p>");
    }
    out
}

fn faults(dossier: &Dossier) -> String {
    let rows = dossier.faults().into_iter().map(|(name, japanese, injected, met, broken)| {
        row(&format!("{japanese} / {name}"), &[&injected, &met, &broken])
    });
    heading("障害と攻撃", "Faults and attacks")
        + &table(
            "注入した数、その上演で障害に遭った照会、破られた保証",
            "Injected; questions that met a fault in those plays; guarantees broken in them",
            &["種類", "注入", "遭った照会", "違反"],
            rows.collect(),
        )
}

fn mutants(dossier: &Dossier) -> String {
    let title = heading("わざと植えた欠陥", "Planted defects");
    let Some(mutants) = &dossier.mutants else {
        return title
            + "<p class=\"missing\"><strong>表は渡されていません。</strong>保証が欠陥に気付くかどうかは、この報告書からは分かりません。\
               <span lang=\"en\">The table was not handed in: this report does not show that the guarantees notice \
               defects.</span> <code>mutants --json &gt; FILE</code>, <code>report --mutants FILE</code></p>";
    };
    let rows = mutants.iter().map(|mutant| match (&mutant.caught_by, mutant.seeds_needed) {
        (Some(guarantee), Some(seeds)) => row(&mutant.name, &[guarantee, &"気付いた / caught", &seeds]),
        _ => row(&mutant.name, &[&"-", &"気付かない / missed", &"-"]),
    });
    title
        + &table(
            "欠陥に気付いた保証",
            "Which guarantee noticed, after how many seeds",
            &["欠陥", "保証", "結果", "種"],
            rows.collect(),
        )
}

fn map(dossier: &Dossier) -> String {
    let prefectures = dossier.prefectures();
    let questions = prefectures.iter().map(|(number, (_insurers, ends))| (*number, ends.values().sum())).collect();
    let rows = prefectures.iter().map(|(number, (insurers, ends))| {
        let name = words::PREFECTURES.iter().find(|(known, ..)| known == number).map_or("", |(_number, name, ..)| name);
        let of = |end: End| ends.get(&end).copied().unwrap_or_default();
        let (shown, refused, others) =
            (of(End::Shown), of(End::Refused), of(End::PutOff) + of(End::Failed) + of(End::Orphaned));
        row(name, &[insurers, &shown, &refused, &others])
    });
    heading("保険者の所在", "Where the insurers are")
        + &picture::map(&questions)
        + &table(
            "都道府県ごとの照会の結果",
            "How questions ended, by prefecture",
            &["都道府県", "保険者", "開示", "拒否", "その他"],
            rows.collect(),
        )
}

fn act(act: &Act) -> String {
    let mut out = heading(&format!("筋書「{}」", escaped(&act.scenario.japanese)), &escaped(&act.scenario.name));
    for (seed, what) in &act.broken {
        let _written = write!(out, "<p class=\"missing\">種 {seed}: {}</p>", escaped(what));
    }
    let Some((seed, first)) = act.plays.first() else { return out };
    let _written = write!(
        out,
        "<p>種 {seed} の経過 <span lang=\"en\">The course of seed {seed}, by simulated time.</span></p><p class=\"key\">{}</p>",
        ENDS.map(|(end, japanese, english)| {
            format!("<span class=\"box {}\"></span>{japanese} <span lang=\"en\">{english}</span>", picture::class(end))
        })
        .join(" ")
    );
    out.push_str(&picture::timeline(first, &act.scenario.japanese));
    let (columns, width) = picture::columns(first);
    let tenths = columns.chunks(columns.len().div_ceil(10).max(1)).enumerate().map(|(at, part)| {
        let until = (count(at) + 1) * width * picture::COLUMNS / 10 / 1000;
        let of = |end: End| part.iter().filter_map(|column| column.get(&end)).sum::<u64>();
        let ends = ENDS.map(|(end, ..)| of(end));
        row(&format!("〜{until} 秒"), &[&ends[0], &ends[1], &ends[2], &ends[3], &ends[4]])
    });
    let heads = ["時間", ENDS[0].1, ENDS[1].1, ENDS[2].1, ENDS[3].1, ENDS[4].1];
    out.push_str(&table("終わった照会", "Ended questions", &heads, tenths.collect()));
    let bands = picture::bands(first).into_iter().map(|(label, from, until)| {
        let until = until.map_or_else(|| "終わりまで".to_owned(), |until| format!("{} 秒", until / 1000));
        row(&label, &[&format!("{} 秒", from / 1000), &until])
    });
    let bands: Vec<_> = bands.collect();
    if !bands.is_empty() {
        out.push_str(&table("続いた障害", "What lasted", &["何が", "から", "まで"], bands));
    }
    let missing = |(seed, played): &(u64, simulations::played::Played)| {
        let goals = played.sometimes.iter().filter(|(_goal, reached)| !reached);
        goals.map(|(goal, _reached)| format!("種 {seed}: {}", serde_json::json!(goal))).collect::<Vec<_>>()
    };
    for goal in act.plays.iter().flat_map(missing) {
        let _written =
            write!(out, "<p class=\"missing\">一度も起きなかったこと / never happened: {}</p>", escaped(&goal));
    }
    out
}

fn waits(dossier: &Dossier) -> String {
    let rows = dossier.acts.iter().map(|act| {
        let waits = act.waits();
        row(&act.scenario.name, &[&waits.p50, &waits.p90, &waits.p99, &waits.max])
    });
    heading("待ち時間", "How long askers waited")
        + "<p>模擬時間です。どの計算機の速さでもありません。\
           <span lang=\"en\">Simulated milliseconds: not the speed of any machine.</span></p>"
        + &table("待ち時間の百分位 (ミリ秒)", "Percentiles", &["筋書", "50 %", "90 %", "99 %", "最長"], rows.collect())
}

fn privacy(dossier: &Dossier) -> String {
    let keepers = dossier.keepers();
    let rows = keepers.iter().map(|(kind, (hosts, rows, readable))| row(kind, &[hosts, rows, readable]));
    let frames: u64 = dossier.guarantees().get("no_frame_shows_whom_it_is_about").map_or(0, |sum| sum.evaluated);
    heading("誰が何を見たか", "Who saw what")
        + &format!(
            "<p>被保険者証と医療保険の番号を、回線上の {frames} 本の電文と、終わりに各ノードが持つすべての行の中に探しました。\
             所在照会・仮名化・証人は番号を持ってはなりません。保険者の手元では、人ごとの鍵で封じられています。\
             <span lang=\"en\">The numbers of every card were looked for in all frames and in every row that a node keeps at \
             the end. Go-betweens must keep none; insurers keep them sealed under each person's key.</span></p>"
        )
        + &table(
            "番号が読める行",
            "Rows in which a number can be read",
            &["組織の種類", "ノード", "行", "番号の読める行"],
            rows.collect(),
        )
}

fn evidence(dossier: &Dossier) -> String {
    let forks = dossier.plays().flat_map(|(act, seed, played)| {
        played.forks.iter().map(move |fork| {
            let found =
                fork.found_after_ms.map_or_else(|| "古い頭なので警報なし / older".to_owned(), |ms| format!("{ms} ms"));
            let cosigned = if fork.is_cosigned { "署名した / cosigned" } else { "署名せず / not cosigned" };
            row(&format!("{} {seed}", act.scenario.name), &[&fork.party, &cosigned, &found])
        })
    });
    let forks: Vec<_> = forks.take(ROWS_SHOWN).collect();
    let ledgers =
        dossier.acts.iter().filter_map(|act| Some((act, act.plays.first()?))).flat_map(|(act, (_seed, played))| {
            let insurers = played.ledgers.iter().filter(|(party, ..)| party.to_string().starts_with("insurer:"));
            insurers.map(|(party, epoch, leaves, root)| {
                let root = root.as_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
                row(&act.scenario.name, &[party, epoch, leaves, &format!("{root}…")])
            })
        });
    let ledgers = table(
        "保険者の台帳の最後の頭 (最初の種)",
        "The insurers' last heads under the first seed",
        &["筋書", "台帳", "期", "葉", "根"],
        ledgers.collect(),
    );
    let forks = if forks.is_empty() {
        "<p>台帳の分岐は仕掛けていません。<span lang=\"en\">No fork was injected.</span></p>".to_owned()
    } else {
        table(
            "仕掛けた分岐と、証人が気付くまで",
            "Forks shown to a witness",
            &["上演", "台帳", "証人", "気付くまで"],
            forks,
        )
    };
    heading("証拠", "Evidence") + &forks + &ledgers
}

fn unsimulated() -> String {
    let rows = words::UNSIMULATED.iter().map(|(japanese, english, covered)| {
        marked(&format!("{}<br><span lang=\"en\">{}</span>", escaped(japanese), escaped(english)), &[covered])
    });
    heading("模擬していないもの", "What is not simulated")
        + &table("代わりに確かめるもの", "And what covers it", &["模擬していないもの", "代わり"], rows.collect())
}

fn again(dossier: &Dossier) -> String {
    let fast = if dossier.cryptography == Cryptography::Toy { " --fast" } else { "" };
    let rows = dossier.plays().map(|(act, seed, played)| {
        let name = &act.scenario.name;
        let digest = played.digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        marked(&format!("<code>tsunagi simulate run {} --seed {seed}{fast}</code>", escaped(name)), &[&digest])
    });
    heading("確かめ直すには", "How to reproduce")
        + &format!(
            "<p>版 <code>{}</code>。同じ版、筋書、種なら、痕跡はどの計算機でも同じです。\
             <span lang=\"en\">The same version, scenario and seed give the same digest on every machine.</span></p>",
            env!("CARGO_PKG_VERSION")
        )
        + &table("痕跡", "Digests", &["命令", "痕跡"], rows.collect())
}

fn heading(japanese: &str, english: &str) -> String {
    format!("<h2>{japanese} <span lang=\"en\">{english}</span></h2>")
}

/// A row whose first cell is plain text.
fn row(first: &str, rest: &[&dyn Display]) -> String {
    marked(&escaped(first), rest)
}

/// A row whose first cell is markup of ours.
fn marked(first: &str, rest: &[&dyn Display]) -> String {
    let cells: String = rest.iter().map(|cell| format!("<td>{}</td>", escaped(&cell.to_string()))).collect();
    format!("<tr><th scope=\"row\">{first}</th>{cells}</tr>")
}

fn table(japanese: &str, english: &str, heads: &[&str], rows: Vec<String>) -> String {
    let shown = rows.len().min(ROWS_SHOWN);
    let rest = count(rows.len().saturating_sub(shown));
    let more = if rest > 0 { format!("(ほか {rest} 行は report.json)") } else { String::new() };
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let rows: String = rows.into_iter().take(shown).collect();
    format!(
        "<div class=\"wide\"><table><caption>{japanese} <span lang=\"en\">{english}</span>{more}</caption>\
         <thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// Each end, in Japanese and English.
const ENDS: [(End, &str, &str); 5] = [
    (End::Shown, "開示・保管・消去", "shown, kept or erased"),
    (End::Refused, "拒否", "refused"),
    (End::PutOff, "保留", "put off"),
    (End::Failed, "不達", "failed"),
    (End::Orphaned, "尋ね手の停止", "asker gone"),
];
/// The most violations of a guarantee on the page.
const VIOLATIONS_SHOWN: usize = 20;
/// The most rows of a table on the page.
const ROWS_SHOWN: usize = 400;

const STYLE: &str = "\
:root{color-scheme:light}*{box-sizing:border-box}\
body{margin:0;font:16px/1.6 system-ui,'Noto Sans CJK JP','Hiragino Sans','Yu Gothic',sans-serif;color:#1a1a1a;background:#fff}\
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}\
h1{font-size:1.7rem;margin:0 0 1rem}h2{font-size:1.25rem;margin:2.5rem 0 .75rem;border-bottom:2px solid #1b4965;padding-bottom:.25rem}\
h3{font-size:1rem}[lang=en]{color:#4a4a4a;font-size:.85em}\
.verdict{border:2px solid #1b4965;border-radius:6px;padding:.75rem 1rem;font-size:1.1rem}.verdict strong{font-size:1.4rem;margin-right:.5rem}\
.missing{border-left:6px solid #9a3412;padding:.25rem .75rem;background:#fff4ed}\
.wide{overflow-x:auto;margin:1rem 0}table{border-collapse:collapse;width:100%;font-size:.9rem}\
caption{text-align:left;font-weight:600;padding:.25rem 0}th,td{border:1px solid #c9ced3;padding:.3rem .6rem;text-align:left;vertical-align:top}\
thead th{background:#eef3f6}tbody th{font-weight:400}td{font-variant-numeric:tabular-nums;overflow-wrap:break-word}code{font-size:.9em;overflow-wrap:anywhere}\
svg{display:block;width:100%;height:auto;margin:1rem 0}svg.map{max-width:38rem}svg text{font-size:13px;text-anchor:middle}\
svg rect.none{fill:#e6eaed}svg rect.few{fill:#bcd7e6}svg rect.some{fill:#5fa8d3}svg rect.many{fill:#1b4965}svg text.many{fill:#fff}svg text.none{fill:#5b6570}\
svg line{stroke:#1a1a1a}svg text.axis,svg text.band{text-anchor:start;font-size:11px}svg text.end{text-anchor:end}\
svg rect.shade{fill:#f3e9d2}svg rect.band{fill:#f3e9d2;stroke:#8a6d1f}\
.shown{fill:#1b4965;background:#1b4965}.refused{fill:#62b6cb;background:#62b6cb}.put-off{fill:#e0a458;background:#e0a458}\
.failed{fill:#9a3412;background:#9a3412}.orphaned{fill:#8d99a6;background:#8d99a6}\
.box{display:inline-block;width:.9em;height:.9em;margin:0 .3em 0 .8em;vertical-align:-.1em;border:1px solid #1a1a1a}\
@media print{body{font-size:11pt}main{max-width:none;padding:0}.wide{overflow:visible}h2{break-after:avoid}svg,tr{break-inside:avoid}\
svg rect,.box{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";
