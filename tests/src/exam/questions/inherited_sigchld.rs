use crate::exam::{Answer, Asked, Examinee, Kind, Question};
use crate::experiment::one_after_another;
use crate::server::Inherited;
use crate::story::Tally;

const CLIENTS: usize = 3;

pub(super) const QUESTION: Question = Question {
    name: "its parent has blocked or ignored SIGCHLD: it still reaps",
    done: "The server is started with SIGCHLD blocked, and once more with SIGCHLD ignored: both \
           survive exec. Each time three clients come and leave, one after the other. That a server relies on its parent \
           is noted, and no failure.",
    hint: "what does a program inherit besides its files? docs/lesson-02.md#being-told",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    if examinee.ways.lags.as_ref().is_ok_and(|lags| lags.iter().any(|lag| lag.zombie.is_none())) {
        return Ok(Answer::cannot("it doesn't reap every child when all is at its default"));
    }
    let (mut evidence, mut good) = (Vec::new(), true);
    for (inherited, name) in [(Inherited::Blocked, "blocked"), (Inherited::Ignored, "ignored")] {
        let server = examinee.start_as(|launch| launch.sigchld(inherited))?;
        // One after the other: that is all that a server of lesson 2 can do when nothing is amiss.
        let tally = one_after_another(&server, CLIENTS);
        good &= tally.as_ref().is_ok_and(|it| it.zombies == 0);
        evidence.push(match tally {
            Ok(Tally { zombies, children, .. }) => {
                format!("{name}: {zombies} of {children} stayed")
            }
            Err(error) => format!("{name}: {error}"),
        });
    }
    let evidence = evidence.join("; ");
    Ok(if good { Answer::holds(evidence) } else { Answer::noted(evidence).hint(QUESTION.hint) })
}
