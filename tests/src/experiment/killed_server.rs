use crate::Result;
use crate::burst::{Burst, HELLO};
use crate::exam::{Answer, Examinee, Kind, Question};

pub(super) const QUESTION: Question = Question {
    name: "the server is killed: conversations go on, and it can start again at once",
    done: "With clients served, the process that listens is killed with SIGKILL; the clients \
           speak again, and the command is started once more on the same port.",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    let server = examinee.start()?;
    let clients = if examinee.kind() == Kind::OneByOne { 1 } else { 2 };
    let burst = Burst::connect(&server, clients)?;
    server.kill()?;
    let go_on = burst.clients().iter().try_for_each(|client| client.say(HELLO));
    let again = examinee.start();
    burst.close();
    let conversations = match &go_on {
        Ok(()) => "conversations go on".to_owned(),
        Err(error) => format!("conversations end: {error}"),
    };
    let restart = match &again {
        Ok(_) => "it starts again at once".to_owned(),
        Err(error) => format!("it can't start again: {error}"),
    };
    Ok(Answer::when(go_on.is_ok() && again.is_ok(), format!("{conversations}; {restart}")))
}
