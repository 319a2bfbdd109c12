//! What a trunk and a telephone have in common: they call, are called, and answer what comes in a call.

use crate::description;
use crate::refer::{Target, meant};
use rsipstack::dialog::DialogId;
use rsipstack::dialog::authenticate::Credential;
use rsipstack::dialog::dialog::{Dialog, DialogState, DialogStateReceiver, DialogStateSender, TransactionHandle};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::dialog::registration::Registration;
use rsipstack::sip::typed::{From, To};
use rsipstack::sip::{Header, Method, Request, Response, SipMessage, StatusCode, Uri};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipAddr;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long a telephone rings before it answers.
const RING: Duration = Duration::from_millis(300);

/// Everything about one of them.
pub(crate) struct Party {
    pub(crate) dialogs: Arc<DialogLayer>,
    pub(crate) states: DialogStateSender,
    /// Whom a trunk dials; who a telephone is.
    pub(crate) user: String,
    pub(crate) at: SocketAddr,
    pub(crate) transport: String,
    pub(crate) gateway: String,
    pub(crate) rtp: u16,
    pub(crate) report: u16,
}

fn say(line: &str) {
    println!("{line}");
}

impl Party {
    /// A registration in the gateway.
    pub(crate) fn registration(&self, password: Option<&str>) -> Registration {
        let credential = password.map(|password| Credential {
            username: self.user.clone(),
            password: password.to_owned(),
            ..Credential::default()
        });
        Registration::new(self.dialogs.endpoint.clone(), credential)
    }

    /// Registers for so long; 0 to leave.
    pub(crate) async fn register(&self, registration: &mut Registration, seconds: u32) -> Result<()> {
        registration.contact =
            Some(rsipstack::sip::typed::Contact { display_name: None, uri: self.contact()?, params: Vec::new() });
        let response = registration.register(self.uri("")?, Some(seconds)).await?;
        say(&format!("register {} for {seconds}", u16::from(response.status_code)));
        Ok(())
    }

    /// Calls the gateway, as a trunk does.
    pub(crate) async fn call(&self) -> Result<()> {
        self.invite(self.uri(&self.user)?, None).await
    }

    /// Does as it is told with every call that it has.
    pub(crate) async fn obey(&self, order: &str) -> Result<()> {
        if order == "options" {
            return self.ask().await;
        }
        for id in self.dialogs.all_dialog_ids() {
            let Some(Dialog::Invite(dialog)) = self.dialogs.get_dialog_with(&id) else { continue };
            let offer = |version, direction| Some(description::ours(self.at, self.rtp, version, direction));
            let answer = match order {
                "hold" => dialog.reinvite(sdp(), offer(2, "sendonly")).await?,
                "resume" => dialog.reinvite(sdp(), offer(3, "sendrecv")).await?,
                "bye" => {
                    dialog.bye().await?;
                    None
                }
                other => return Err(format!("unknown order `{other}`").into()),
            };
            let answered = |answer: &Response| {
                format!(" {} {}", u16::from(answer.status_code.clone()), description::direction(&answer.body))
            };
            say(&format!("{order}{}", answer.as_ref().map(answered).unwrap_or_default()));
        }
        Ok(())
    }

    /// Answers what comes from outside.
    pub(crate) async fn take(self: Arc<Self>, mut incoming: TransactionReceiver) {
        while let Some(mut transaction) = incoming.recv().await {
            let party = self.clone();
            tokio::spawn(async move {
                let method = transaction.original.method;
                say(&format!("received {method}"));
                if let Err(error) = party.answer(&mut transaction).await {
                    say(&format!("cannot answer {method}: {error}"));
                }
            });
        }
    }

    /// Answers what comes in calls, and says how they go.
    pub(crate) async fn follow(self: Arc<Self>, mut changes: DialogStateReceiver) {
        while let Some(change) = changes.recv().await {
            let party = self.clone();
            tokio::spawn(async move {
                if let Err(error) = party.react(change).await {
                    say(&format!("failed: {error}"));
                }
            });
        }
    }

    async fn react(&self, change: DialogState) -> Result<()> {
        match change {
            DialogState::Early(_, response) => say(&format!("hears {}", u16::from(response.status_code))),
            DialogState::Confirmed(_, response) => say(&format!("confirmed {}", u16::from(response.status_code))),
            DialogState::Terminated(id, reason) => {
                self.dialogs.remove_dialog(&id);
                say(&format!("ended {reason:?}"));
            }
            DialogState::Updated(_, request, handle) => {
                let direction = description::direction(&request.body);
                say(&format!("asked for {direction} at {:?}", description::port(&request.body)));
                let body = description::ours(self.at, self.rtp, 9, description::mirrored(direction));
                handle.respond(StatusCode::OK, sdp(), Some(body)).await?;
            }
            DialogState::Refer(id, request, handle) => self.transfer(&id, &request, &handle).await?,
            DialogState::Options(_, _, handle)
            | DialogState::Info(_, _, handle)
            | DialogState::Message(_, _, handle)
            | DialogState::Notify(_, _, handle) => handle.reply(StatusCode::OK).await?,
            _ => {}
        }
        Ok(())
    }

    /// Does what a trunk does with a REFER: takes it, calls whom it names, and tells how that went.
    async fn transfer(&self, id: &DialogId, request: &Request, handle: &TransactionHandle) -> Result<()> {
        let headers = request.headers.iter();
        let value = headers.filter(|header| header.name().eq_ignore_ascii_case("Refer-To")).map(Header::value).next();
        let target = Target::read(value.unwrap_or_default());
        say(&format!("referred to {} replacing {:?}", target.uri, target.replaces));
        handle.reply(StatusCode::Accepted).await?;
        let Some(Dialog::Invite(dialog)) = self.dialogs.get_dialog(id) else { return Ok(()) };
        tell(&dialog, StatusCode::Trying, "active;expires=60").await?;
        let outcome = self.invite(Uri::try_from(target.uri.as_str())?, target.replaces).await;
        let status = if outcome.is_ok() { StatusCode::OK } else { StatusCode::ServiceUnavailable };
        tell(&dialog, status, "terminated;reason=noresource").await?;
        outcome
    }

    async fn invite(&self, callee: Uri, replaces: Option<String>) -> Result<()> {
        let mut headers = abilities();
        headers.extend(replaces.map(|value| Header::Replaces(value.into())));
        let option = InviteOption {
            caller: Uri::try_from(format!("sip:+447700900123@{}", self.at.ip()).as_str())?,
            callee,
            contact: self.contact()?,
            offer: Some(description::ours(self.at, self.rtp, 1, "sendrecv")),
            headers: Some(headers),
            ..InviteOption::default()
        };
        let (_, answer) = self.dialogs.do_invite(option, self.states.clone()).await?;
        let answer = answer.ok_or("nobody answered")?;
        let status = u16::from(answer.status_code.clone());
        say(&format!("answered {status}"));
        if status != 200 {
            return Err(format!("the call was refused with {status}").into());
        }
        self.hear_of(&answer.body)
    }

    async fn answer(&self, transaction: &mut Transaction) -> Result<()> {
        if let Some(mut dialog) = self.dialogs.match_dialog(transaction) {
            return Ok(dialog.handle(transaction).await?);
        }
        match transaction.original.method {
            Method::Invite => self.ring(transaction).await,
            Method::Options => Ok(transaction.reply_with(StatusCode::OK, abilities(), None).await?),
            Method::Ack => Ok(()),
            _ => Ok(transaction.reply(StatusCode::CallTransactionDoesNotExist).await?),
        }
    }

    /// Rings and answers; at once where the call takes the place of another one (RFC 3891).
    async fn ring(&self, transaction: &mut Transaction) -> Result<()> {
        let request = &transaction.original;
        let headers = request.headers.iter();
        let replaces =
            headers.filter(|header| header.name().eq_ignore_ascii_case("Replaces")).map(Header::value).next();
        let replaced = replaces.map(|value| meant(value).and_then(|id| self.dialogs.get_dialog(&id)));
        let (offer, contact) = (request.body.clone(), self.contact()?);
        let old = match replaced {
            Some(None) => return Ok(transaction.reply(StatusCode::CallTransactionDoesNotExist).await?),
            Some(Some(old)) => Some(old),
            None => None,
        };
        let mut dialog =
            self.dialogs.get_or_create_server_invite(transaction, self.states.clone(), None, Some(contact))?;
        self.hear_of(&offer)?;
        let (body, answering) = (description::ours(self.at, self.rtp, 1, "sendrecv"), dialog.clone());
        tokio::spawn(async move {
            if old.is_none() {
                answering.ringing(None, None)?;
                tokio::time::sleep(RING).await;
            }
            answering.accept(sdp(), Some(body))?;
            if let Some(old) = old {
                say("replaced");
                old.hangup().await?;
            }
            Result::Ok(())
        });
        Ok(dialog.handle(transaction).await?)
    }

    /// Asks the gateway, outside of any call, whether it is there.
    async fn ask(&self) -> Result<()> {
        let (uri, endpoint) = (self.uri("")?, &self.dialogs.endpoint);
        let (connection, _) = endpoint.transport_layer.lookup(&SipAddr::try_from(&uri)?, None).await?;
        let via = endpoint.get_via(Some(connection.get_addr().clone()), None)?;
        let from = From { display_name: None, uri: self.contact()?, params: Vec::new() }.with_tag("asks".into());
        let to = To { display_name: None, uri: uri.clone(), params: Vec::new() };
        let request = endpoint.make_request(Method::Options, uri, via, from, to, 1, None);
        let key = TransactionKey::from_request(&request, TransactionRole::Client)?;
        let mut transaction = Transaction::new_client(key, request, endpoint.clone(), None);
        transaction.send().await?;
        while let Some(message) = transaction.receive().await {
            if let SipMessage::Response(response) = message {
                say(&format!("options {}", u16::from(response.status_code)));
                return Ok(());
            }
        }
        Err("OPTIONS was not answered".into())
    }

    /// Tells the test where the other side wants audio.
    fn hear_of(&self, body: &[u8]) -> Result<()> {
        let Some(port) = description::port(body) else { return Ok(()) };
        UdpSocket::bind("127.0.0.1:0")?.send_to(port.to_string().as_bytes(), ("127.0.0.1", self.report))?;
        Ok(())
    }

    fn uri(&self, user: &str) -> Result<Uri> {
        let at = if user.is_empty() { self.gateway.clone() } else { format!("{user}@{}", self.gateway) };
        Ok(Uri::try_from(format!("sip:{at};transport={}", self.transport).as_str())?)
    }

    fn contact(&self) -> Result<Uri> {
        Ok(Uri::try_from(format!("sip:{}@{};transport={}", self.user, self.at, self.transport).as_str())?)
    }
}

fn abilities() -> Vec<Header> {
    vec![Header::Allow("INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, NOTIFY".into()), Header::Supported("replaces".into())]
}

fn sdp() -> Option<Vec<Header>> {
    Some(vec![Header::ContentType("application/sdp".into())])
}

async fn tell(dialog: &InviteDialog, status: StatusCode, state: &str) -> Result<()> {
    let number = u16::from(status.clone());
    let answer = dialog.notify_refer(status, state).await?;
    say(&format!("notified {number}, answered {:?}", answer.map(|answer| u16::from(answer.status_code))));
    Ok(())
}
