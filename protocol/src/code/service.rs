//! Kinds of service (サービス種類コード): the first two characters of a service code.
//!
//! Ended kinds stay in the list, since old records name them. Whether an office gives a kind is for its
//! credential to say.

use minicbor::{Decode, Decoder, Encode, Encoder};

/// A kind of service (サービス種類) from the closed national list. In CBOR and in text its two characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceKind {
    code: &'static str,
    japanese: &'static str,
}

impl ServiceKind {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 71] = [
        Self::known("11", "訪問介護"),
        Self::known("12", "訪問入浴介護"),
        Self::known("13", "訪問看護"),
        Self::known("14", "訪問リハビリテーション"),
        Self::known("15", "通所介護"),
        Self::known("16", "通所リハビリテーション"),
        Self::known("17", "福祉用具貸与"),
        Self::known("21", "短期入所生活介護"),
        Self::known("22", "短期入所療養介護（介護老人保健施設）"),
        Self::known("23", "短期入所療養介護（療養病床を有する病院等）"),
        Self::known("24", "介護予防短期入所生活介護"),
        Self::known("25", "介護予防短期入所療養介護（介護老人保健施設）"),
        Self::known("26", "介護予防短期入所療養介護（療養病床を有する病院等）"),
        Self::known("27", "特定施設入居者生活介護（短期利用）"),
        Self::known("28", "地域密着型特定施設入居者生活介護（短期利用）"),
        Self::known("2A", "短期入所療養介護（介護医療院）"),
        Self::known("2B", "介護予防短期入所療養介護（介護医療院）"),
        Self::known("31", "居宅療養管理指導"),
        Self::known("32", "認知症対応型共同生活介護"),
        Self::known("33", "特定施設入居者生活介護"),
        Self::known("34", "介護予防居宅療養管理指導"),
        Self::known("35", "介護予防特定施設入居者生活介護"),
        Self::known("36", "地域密着型特定施設入居者生活介護"),
        Self::known("37", "介護予防認知症対応型共同生活介護"),
        Self::known("38", "認知症対応型共同生活介護（短期利用）"),
        Self::known("39", "介護予防認知症対応型共同生活介護（短期利用）"),
        Self::known("41", "特定福祉用具販売"),
        Self::known("42", "住宅改修"),
        Self::known("43", "居宅介護支援"),
        Self::known("44", "特定介護予防福祉用具販売"),
        Self::known("45", "介護予防住宅改修"),
        Self::known("46", "介護予防支援"),
        Self::known("51", "介護老人福祉施設"),
        Self::known("52", "介護老人保健施設"),
        Self::known("53", "介護療養型医療施設"),
        Self::known("54", "地域密着型介護老人福祉施設入所者生活介護"),
        Self::known("55", "介護医療院"),
        Self::known("59", "特定入所者介護サービス"),
        Self::known("61", "介護予防訪問介護"),
        Self::known("62", "介護予防訪問入浴介護"),
        Self::known("63", "介護予防訪問看護"),
        Self::known("64", "介護予防訪問リハビリテーション"),
        Self::known("65", "介護予防通所介護"),
        Self::known("66", "介護予防通所リハビリテーション"),
        Self::known("67", "介護予防福祉用具貸与"),
        Self::known("68", "小規模多機能型居宅介護（短期利用）"),
        Self::known("69", "介護予防小規模多機能型居宅介護（短期利用）"),
        Self::known("71", "夜間対応型訪問介護"),
        Self::known("72", "認知症対応型通所介護"),
        Self::known("73", "小規模多機能型居宅介護"),
        Self::known("74", "介護予防認知症対応型通所介護"),
        Self::known("75", "介護予防小規模多機能型居宅介護"),
        Self::known("76", "定期巡回・随時対応型訪問介護看護"),
        Self::known("77", "看護小規模多機能型居宅介護"),
        Self::known("78", "地域密着型通所介護"),
        Self::known("79", "看護小規模多機能型居宅介護（短期利用）"),
        Self::known("A1", "訪問型サービス（みなし）"),
        Self::known("A2", "訪問型サービス（独自）"),
        Self::known("A3", "訪問型サービス（独自・定率）"),
        Self::known("A4", "訪問型サービス（独自・定額）"),
        Self::known("A5", "通所型サービス（みなし）"),
        Self::known("A6", "通所型サービス（独自）"),
        Self::known("A7", "通所型サービス（独自・定率）"),
        Self::known("A8", "通所型サービス（独自・定額）"),
        Self::known("A9", "生活支援サービス（配食・定率）"),
        Self::known("AA", "生活支援サービス（配食・定額）"),
        Self::known("AB", "生活支援サービス（見守り・定率）"),
        Self::known("AC", "生活支援サービス（見守り・定額）"),
        Self::known("AD", "生活支援サービス（その他・定率）"),
        Self::known("AE", "生活支援サービス（その他・定額）"),
        Self::known("AF", "介護予防ケアマネジメント"),
    ];

    /// Care planning at home (居宅介護支援).
    pub const CARE_PLANNING: Self = Self::known("43", "居宅介護支援");
    /// Planning of preventive services (介護予防支援).
    pub const PREVENTIVE_PLANNING: Self = Self::known("46", "介護予防支援");
    /// Planning for the municipality's programmes (介護予防ケアマネジメント).
    pub const PROGRAMME_PLANNING: Self = Self::known("AF", "介護予防ケアマネジメント");

    /// Reads the two characters.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code == text)
    }

    /// The two characters.
    pub const fn as_str(self) -> &'static str {
        self.code
    }

    /// Its Japanese name.
    pub const fn japanese(self) -> &'static str {
        self.japanese
    }

    /// Whether giving it means making plans for persons at home (居宅介護支援, 介護予防支援,
    /// 介護予防ケアマネジメント).
    pub fn is_planning(self) -> bool {
        [Self::CARE_PLANNING, Self::PREVENTIVE_PLANNING, Self::PROGRAMME_PLANNING].contains(&self)
    }

    const fn known(code: &'static str, japanese: &'static str) -> Self {
        Self { code, japanese }
    }
}

impl core::fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.code)
    }
}

impl core::fmt::Debug for ServiceKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl<C> Encode<C> for ServiceKind {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(self.code)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for ServiceKind {
    fn decode(d: &mut Decoder<'b>, _ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| minicbor::decode::Error::message("not a kind of service"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_comes_back_from_its_code() {
        assert!(ServiceKind::ALL.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert_eq!(ServiceKind::ALL.map(ServiceKind::japanese).into_iter().collect::<BTreeSet<_>>().len(), 71);
        for kind in ServiceKind::ALL {
            assert_eq!(kind.as_str().len(), 2);
            assert_eq!(ServiceKind::parse(kind.as_str()), Some(kind));
            assert_eq!(cbor::decode::<ServiceKind>(&cbor::encode(&kind)), Ok(kind));
        }
    }

    #[test]
    fn the_codes_often_confused_are_those_of_the_national_list() {
        for (code, name) in [
            ("76", "定期巡回・随時対応型訪問介護看護"),
            ("71", "夜間対応型訪問介護"),
            ("72", "認知症対応型通所介護"),
            ("73", "小規模多機能型居宅介護"),
            ("32", "認知症対応型共同生活介護"),
        ] {
            assert_eq!(ServiceKind::parse(code).map(ServiceKind::japanese), Some(name));
        }
    }

    #[test]
    fn three_kinds_are_planning() {
        let planning: Vec<&str> =
            ServiceKind::ALL.into_iter().filter(|kind| kind.is_planning()).map(ServiceKind::as_str).collect();
        assert_eq!(planning, ["43", "46", "AF"]);
    }

    proptest! {
        #[test]
        fn only_a_listed_code_is_a_kind(text in "[0-9A-Za-z]{2}|\\PC{0,6}") {
            match ServiceKind::parse(&text) {
                Some(kind) => prop_assert_eq!(kind.as_str(), text),
                None => prop_assert_eq!(cbor::decode::<ServiceKind>(&cbor::encode(&text)), Err(cbor::Malformed)),
            }
        }
    }
}
