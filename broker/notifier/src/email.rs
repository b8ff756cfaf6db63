//! E-mail: one message in plain text and HTML, handed to the configured mail server.

use std::time::Duration;

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, response::Code};
use lettre::{Address, AsyncTransport, Message, Tokio1Executor};
use schemas::event::Notification;

use crate::config::{EmailConfig, SmtpSecurity, secret_file};
use crate::key::DeliveryId;
use crate::record::Why;

pub mod templates;

use templates::{Rendered, Templates};

/// Why a mail server cannot be used as configured.
#[derive(Debug, thiserror::Error)]
#[error("notifier.email: {0}")]
pub struct EmailError(String);

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotTaken {
    pub why: Why,
    pub code: Option<u16>,
    /// It is this message or its receiver, not the server.
    pub server_works: bool,
}

/// Ready to send.
#[derive(Debug)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    templates: Templates,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    timeout: Duration,
}

/// Programs that answer every mail leave these alone (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Mailer {
    /// Compiles the templates and tries them; does not call the server.
    ///
    /// # Errors
    /// A file cannot be used, or a template fails with a sample.
    pub fn new(config: &EmailConfig) -> Result<Self, EmailError> {
        let templates = Templates::load(config.templates_dir.as_deref()).map_err(EmailError)?;
        let mailbox = |text: &str| text.parse().map_err(|_| EmailError("no address".to_owned()));
        Ok(Self {
            transport: transport(config)?,
            templates,
            from: mailbox(&config.from)?,
            reply_to: config.reply_to.as_deref().map(mailbox).transpose()?,
            timeout: config.timeout_ms.into(),
        })
    }

    /// Returns once the server has taken it.
    ///
    /// # Errors
    /// It has not, or may not have.
    pub async fn send(
        &self,
        id: &DeliveryId,
        to: &Address,
        told: &Notification,
    ) -> Result<(), NotTaken> {
        let unreadable = NotTaken { why: Why::Unreadable, code: None, server_works: true };
        let rendered = self.templates.render(told).map_err(|_| unreadable)?;
        let message = self.message(id, to, rendered).ok_or(unreadable)?;
        let silent = NotTaken { why: Why::TimedOut, code: None, server_works: false };
        let sent = tokio::time::timeout(self.timeout, self.transport.send(message));
        match sent.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(silent),
        }
    }

    fn message(&self, id: &DeliveryId, to: &Address, rendered: Rendered) -> Option<Message> {
        let mut message = Message::builder()
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(rendered.subject)
            .header(AutoSubmitted);
        if let Some(reply_to) = &self.reply_to {
            message = message.reply_to(reply_to.clone());
        }
        let body = MultiPart::alternative()
            .singlepart(part(ContentType::TEXT_PLAIN, rendered.text))
            .singlepart(part(ContentType::TEXT_HTML, rendered.html));
        message.multipart(body).ok()
    }
}

fn part(kind: ContentType, text: String) -> lettre::message::SinglePart {
    lettre::message::SinglePart::builder().header(kind).body(text)
}

fn transport(config: &EmailConfig) -> Result<AsyncSmtpTransport<Tokio1Executor>, EmailError> {
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
        .port(config.port)
        .timeout(Some(config.timeout_ms.into()))
        .tls(tls(config)?);
    if let Some(user) = &config.user {
        let read = config.password_file.as_deref().map(secret_file).transpose();
        let password = read.map_err(EmailError)?.or_else(|| config.password.clone());
        let password = password.ok_or_else(|| EmailError("there is no password".to_owned()))?;
        builder = builder.credentials(Credentials::new(user.clone(), password.reveal().to_owned()));
    }
    Ok(builder.build())
}

fn tls(config: &EmailConfig) -> Result<Tls, EmailError> {
    if config.security == SmtpSecurity::None {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(file) = &config.tls_ca_file {
        let failed = |why: String| EmailError(format!("cannot use {}: {why}", file.display()));
        let pem = std::fs::read(file).map_err(|e| failed(e.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|e| failed(e.to_string()))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build().map_err(|e| EmailError(format!("TLS: {e}")))?;
    Ok(match config.security {
        SmtpSecurity::Starttls => Tls::Required(parameters),
        SmtpSecurity::Tls | SmtpSecurity::None => Tls::Wrapper(parameters),
    })
}

/// What the server says of us rather than of the message: it closes, wants a login, or refuses it.
const OF_THE_SERVER: [u16; 6] = [421, 521, 530, 534, 535, 538];

fn classify(error: &lettre::transport::smtp::Error) -> NotTaken {
    let code = error.status().map(number);
    let of_server = code.is_some_and(|code| OF_THE_SERVER.contains(&code));
    let why = if error.is_tls() {
        Why::Tls
    } else if error.is_permanent() && !of_server {
        Why::MailRefused
    } else if error.is_permanent() || error.is_transient() {
        Why::MailDeferred
    } else if error.is_response() || error.is_client() {
        Why::Protocol
    } else if error.is_timeout() {
        Why::TimedOut
    } else {
        Why::Unreachable
    };
    let answered = matches!(why, Why::MailRefused | Why::MailDeferred);
    NotTaken { why, code, server_works: answered && !of_server }
}

fn number(code: Code) -> u16 {
    code.to_string().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests;
