use client::{poll, ps};

use crate::exam::pid1::{Candidate, others};
use crate::exam::{Answer, Asked, Question};
use crate::hold::Hold;
use crate::server::{Role, send};
use crate::{Error, PATIENCE};

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "as no PID 1, it inherits the orphans of its descendants",
    done: "It is started as the child of a PID 1, and stopped; a descendant that has a child is killed, \
           and that child's new parent looked at.",
    hint: "prctl(2), PR_SET_CHILD_SUBREAPER: who sets it? docs/pid1.md#no-pid-1",
    ask,
};

fn ask(candidate: &Candidate) -> Asked {
    let no = |why: Error| Answer::cannot(format!("as no PID 1 {why}"));
    let server = candidate.start_as(Role::Child).map_err(no)?;
    let parent = |pid: i32| ps::stat(pid).map(|it| it.ppid);
    let descendants = others(&server);
    let has_middle = |pid: &i32| parent(*pid).is_some_and(|it| descendants.contains(&it));
    let Some(child) = descendants.iter().copied().find(has_middle) else {
        let why = "its child has no child; an init could start: sh -c 'sleep 100 & wait'";
        return Ok(Answer::cannot(why));
    };
    let middle = parent(child).unwrap_or_default();
    let _hold = Hold::still(server.pid())?;
    send(middle, libc::SIGKILL)?;
    let new = poll::until(PATIENCE, || parent(child).filter(|it| *it != middle));
    let new = new.ok_or_else(|| Error::new(format!("process {child} is gone")))?;
    let evidence = format!("{middle} killed; its child's new parent is {new}");
    Ok(match new == server.pid() {
        true => Answer::holds(format!("{evidence}, the program: it is a subreaper")),
        false => Answer::noted(format!("{evidence}, and not the program")),
    })
}
