//! Handoffs that are asked for by name: checked against the configuration, and begun once however often they are asked.

use super::Switchboard;
use call_model::{CallId, HandoffId, HandoffRefused, HandoffRequest, Instant};

/// Requests with a name that are remembered, of all calls; the oldest is forgotten first.
const MOST: usize = 1024;

impl Switchboard {
    /// Somebody asks for a handoff. `token`: what a bot presented; operations were checked already and present none.
    ///
    /// The same request with the same key gets the same answer, also when the call is over.
    ///
    /// # Errors
    /// When it cannot begin; it is then as if it had not been asked.
    pub fn request_handoff(
        &mut self,
        call: CallId,
        token: Option<&str>,
        request: HandoffRequest,
        now: Instant,
    ) -> Result<HandoffId, HandoffRefused> {
        self.check_token(call, token)?;
        let named = |(of, earlier, _): &&(CallId, HandoffRequest, HandoffId)| {
            *of == call && request.key.is_some() && earlier.key == request.key
        };
        if let Some((_, earlier, id)) = self.requests.iter().find(named) {
            return if *earlier == request { Ok(*id) } else { Err(HandoffRefused::KeyTaken(*id)) };
        }
        if request.desk.as_ref().is_some_and(|desk| self.config.desk(&desk.0).is_none()) {
            return Err(HandoffRefused::UnknownDesk);
        }
        let has = |skill: &String| self.config.desks.iter().any(|desk| desk.skills.contains(skill));
        if request.skill.as_ref().is_some_and(|skill| !has(skill)) {
            return Err(HandoffRefused::UnknownSkill);
        }
        let result = self.with_call(call, now, |call, world| call.request_handoff(&request, world));
        self.pump(now);
        let id = result.unwrap_or(Err(HandoffRefused::UnknownCall))?;
        if request.key.is_some() {
            if self.requests.len() == MOST {
                self.requests.pop_front();
            }
            self.requests.push_back((call, request, id));
        }
        Ok(id)
    }

    /// Whether a bot's token is that of its call; nobody's token is always good.
    ///
    /// # Errors
    /// When the call is not known (any more) to check it against, or it is another's.
    pub fn check_token(&self, call: CallId, token: Option<&str>) -> Result<(), HandoffRefused> {
        let Some(token) = token else { return Ok(()) };
        let entry = self.calls.get(&call).ok_or(HandoffRefused::UnknownCall)?;
        if entry.call.about.control_token.matches(token) { Ok(()) } else { Err(HandoffRefused::WrongToken) }
    }
}
