//! `tsunagi bench records`: how fast a municipality's node takes in the records of its insured persons, what room they
//! take, and how fast everything of one kind is read again as of any day.
//!
//! The node is a process of its own and is fed through its office API. It is stopped before the reading, which is done in
//! this process on the store it left.

mod erasing;
mod feed;
mod reading;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use node::assemble::{INDEX_FOLDER, STORE_FOLDER};
use node::config::NodeConfig;
use protocol::id::insurer::InsurerNumber;
use serde_json::{Value, json};
use simulations::population;

use super::as_f64;
use super::target::{self, Target};

/// How the bench is run.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Invented insured persons.
    pub persons: u64,
    /// Months of what is written of them each month.
    pub months: u32,
    /// How often something is read.
    pub reads: u64,
}

/// Measures and reports.
///
/// # Errors
/// A text for the operator.
pub fn measure(choice: Choice, talk: &dyn Fn(&str)) -> Result<Value, String> {
    let plan = plan(choice)?;
    let mut target = Target::empty()?;
    talk(&format!("架空の {} 人、{} か月分を取り込みます", choice.persons, choice.months));
    let fed = feed::feed(target.line(), &plan)?;
    let (rss_mib, cpu_us) = (target.rss_mib()?, target.cpu()?);
    talk("ノードを再起動します");
    target.restart()?;
    let (ready_s, ready_rss_mib) = (target.ready_s(), target.rss_mib()?);
    target.stop()?;
    let config = NodeConfig::read(&target.node()?.config).map_err(|error| error.to_string())?;
    let disk = |folder: &str| disk_mib(&config.data.join(folder));
    let (store_mib, index_mib) = (disk(STORE_FOLDER)?, disk(INDEX_FOLDER)?);
    talk("読み出します");
    let read = reading::measure(&config, &plan, choice.reads)?;
    talk("消去します");
    target.start_again()?;
    let erased = erasing::erase(target.line(), &plan, ERASED)?;
    target.stop()?;
    let millions = as_f64(fed.records.max(1)) / 1_000_000.0;
    Ok(json!({
        "persons": choice.persons,
        "months": choice.months,
        "records": fed.records,
        "fed_mib": as_f64(fed.bytes) / MIB,
        "took_s": fed.took.as_secs_f64(),
        "records_per_s": as_f64(fed.records) / fed.took.as_secs_f64(),
        "records_per_s_last_third": fed.last_third_per_s,
        "node_cpu_us_per_record": cpu_us / as_f64(fed.records.max(1)),
        "rss_mib": rss_mib,
        "rss_mib_per_million": rss_mib / millions,
        "ready_s": ready_s,
        "ready_rss_mib": ready_rss_mib,
        "store_mib_per_million": store_mib / millions,
        "index_mib_per_million": index_mib / millions,
        "reads": choice.reads,
        "read_in_force_us": read.in_force.to_json(),
        "read_every_version_us": read.every_version.to_json(),
        "versions_read": read.versions,
        "erase_person_us": erased.to_json(),
    }))
}

/// How many persons are erased at the end.
const ERASED: usize = 100;
const MIB: f64 = 1_048_576.0;

fn plan(choice: Choice) -> Result<population::Plan, String> {
    let party = |text: &str| crate::plan::party(text).map_err(|trouble| trouble.to_string());
    let parties = |texts: &[&str]| texts.iter().map(|text| party(text)).collect::<Result<Vec<_>, _>>();
    Ok(population::Plan {
        insurer: InsurerNumber::parse(target::city()?.number()).ok_or("not an insurer")?,
        persons: choice.persons,
        seed: 2026,
        today: target::today(),
        offices: vec![target::asking_office()?],
        services: parties(&["office:1370201012", "office:1370201020", "office:1370201038", "office:1370201046"])?,
        hospitals: parties(&["hospital:1310100018", "hospital:1310100026"])?,
        records_per_person_min: 0,
        months: choice.months,
    })
}

/// What the files of a folder take on the disk.
fn disk_mib(folder: &Path) -> Result<f64, String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut mib = 0.0;
    for entry in std::fs::read_dir(folder).map_err(told)? {
        let entry = entry.map_err(told)?;
        let facts = entry.metadata().map_err(told)?;
        mib += if facts.is_dir() { disk_mib(&entry.path())? } else { as_f64(facts.blocks().saturating_mul(512)) / MIB };
    }
    Ok(mib)
}
