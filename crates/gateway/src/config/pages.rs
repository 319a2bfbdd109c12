//! Desks without a telephone, whose humans talk in their pages.

use super::reader::{Complaints, Section};
use super::settings::Settings;
use call_core::{Handover, RouteTo};

/// Whether the human talks in the page. Then nothing that is about a telephone makes sense.
pub(super) fn browser(section: &mut Section, (address, seat, digits): (bool, bool, bool), handover: Handover) -> bool {
    let audio = section.text("audio", |text| match text {
        "telephone" => Ok(false),
        "browser" => Ok(true),
        _ => Err(format!("`{text}` is not known: telephone or browser (the desk page's microphone and speaker)")),
    });
    if audio != Some(true) {
        return false;
    }
    let sip = section.string("sip").is_some();
    for (key, _) in [("sip", sip), ("address", address), ("register", seat), ("post_digits", digits)]
        .into_iter()
        .filter(|(_, given)| *given)
    {
        section.complain(key, "is about a telephone, and audio = \"browser\" means that there is none: take one out");
    }
    if handover == Handover::Refer {
        section.complain("handover", "is \"refer\", but the trunk cannot call a browser");
    }
    true
}

/// A page says yes to a caller by the pop it is shown, and a route straight to a desk shows none.
pub(super) fn check_routes(settings: &Settings, complaints: &Complaints) {
    let board = &settings.switchboard;
    for (index, route) in board.routes.iter().enumerate() {
        if let RouteTo::Desk(name) = &route.to
            && board.desk(name).is_some_and(|desk| desk.browser)
        {
            let what =
                format!("leads straight to {name}, which has only its page: lead it to a bot, or to a telephone");
            complaints.add(format!("routes[{index}].desk"), what);
        }
    }
}
