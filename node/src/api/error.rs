//! What a caller is told when its call did not get through: a status, a stable code, and a sentence in
//! Japanese. Business refusals are no errors and not here.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a call did not get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A field, query word or body is missing or not of its form.
    Field(String, Option<String>),
    /// No token, or not one of ours.
    Token,
    /// A host name that is not ours.
    Host,
    /// The body is too long.
    TooLong,
    /// The body did not come in time.
    Late,
    /// Too much waits already.
    Busy,
    /// There is no room on the disk.
    NoRoom,
    /// The process is ending.
    Stopping,
    /// No such path.
    NotFound,
    /// No such receipt: what was looked for, and where there is one.
    NoReceipt(String),
    /// What was handed in is not to be believed or breaks a rule.
    NotTaken(String),
}

impl Trouble {
    /// A field that is not of its form.
    pub(super) fn field(name: &str) -> Self {
        Self::Field(name.to_owned(), None)
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Field(..) => StatusCode::BAD_REQUEST,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Host => StatusCode::FORBIDDEN,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::NoRoom | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound | Self::NoReceipt(_) => StatusCode::NOT_FOUND,
            Self::NotTaken(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Field(..) => "TSG-1001",
            Self::Token => "TSG-1002",
            Self::Host => "TSG-1003",
            Self::TooLong => "TSG-1004",
            Self::Busy => "TSG-1005",
            Self::NoRoom => "TSG-1006",
            Self::Stopping => "TSG-1007",
            Self::NotFound => "TSG-1008",
            Self::NotTaken(_) => "TSG-1009",
            Self::Late => "TSG-1010",
            Self::NoReceipt(_) => "TSG-1011",
        }
    }

    const fn message(&self) -> &'static str {
        match self {
            Self::Field(..) => "入力に誤りがあります。",
            Self::Token => "合言葉がないか、正しくありません。",
            Self::Host => "このホスト名では利用できません。",
            Self::TooLong => "送信された内容が長すぎます。",
            Self::Late => "送信が時間内に終わりませんでした。",
            Self::Busy => "混み合っています。しばらくしてからやり直してください。",
            Self::NoRoom => "ディスクの空きが足りないため受け付けられません。運用担当者に連絡してください。",
            Self::Stopping => "ノードを停止しています。",
            Self::NotFound => "その窓口はありません。",
            Self::NoReceipt(_) => "その受領証は、指定された時代にはありません。",
            Self::NotTaken(_) => "受け付けられない内容です。",
        }
    }
}

impl IntoResponse for Trouble {
    #[expect(clippy::indexing_slicing, reason = "writing a name of ours into a JSON object makes it")]
    fn into_response(self) -> Response {
        let mut body = json!({ "code": self.code(), "message_ja": self.message() });
        match &self {
            Self::Field(field, detail) => {
                body["field"] = json!(field);
                body["detail"] = json!(detail);
            }
            Self::NotTaken(detail) | Self::NoReceipt(detail) => body["detail"] = json!(detail),
            _ => {}
        }
        (self.status(), Json(body)).into_response()
    }
}

/// For paths that are not there.
pub(super) async fn not_found() -> Trouble {
    Trouble::NotFound
}
