//! How inputs reach the engine thread.
//!
//! Two doors with different manners. [`Intake`] is for what comes from outside: at most a fixed
//! number of inputs waits, and senders wait for room, so that a flood slows its sources down.
//! [`Results`] is for answers to what the engine itself asked for (loads, commits, timers): it
//! never blocks, because the threads that answer must not wait for the engine that waits for
//! them, and it is bounded by the number of questions the engine has open.

use std::sync::Arc;

use broker_core::engine::input::Input;
use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::Semaphore;

/// What the engine thread receives.
#[derive(Debug)]
pub(crate) enum Mail {
    Input(Box<Input>),
    /// Finish this turn and end.
    Stop,
}

/// The engine has ended; there is nobody to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has ended")]
pub struct EngineGone;

/// Door for what comes from outside.
#[derive(Debug, Clone)]
pub struct Intake {
    room: Arc<Semaphore>,
    sender: Sender<Input>,
}

/// Door for answers to the engine's own outputs.
#[derive(Debug, Clone)]
pub struct Results {
    sender: Sender<Mail>,
}

/// The receiving ends, for [`crate::driver::Driver`].
#[derive(Debug)]
pub struct Mailbox {
    pub(crate) results: Receiver<Mail>,
    pub(crate) intake: Receiver<Input>,
    pub(crate) room: Arc<Semaphore>,
}

/// A mailbox in which at most `intake_max` inputs from outside wait.
pub fn mailbox(intake_max: usize) -> (Mailbox, Intake, Results) {
    let room = Arc::new(Semaphore::new(intake_max));
    let (intake_sender, intake) = unbounded();
    let (results_sender, results) = unbounded();
    let mailbox = Mailbox { results, intake, room: Arc::clone(&room) };
    (mailbox, Intake { room, sender: intake_sender }, Results { sender: results_sender })
}

impl Intake {
    /// Waits for room, then hands the input over.
    ///
    /// # Errors
    /// The engine has ended.
    pub async fn send(&self, input: Input) -> Result<(), EngineGone> {
        let permit = self.room.acquire().await.map_err(|_closed| EngineGone)?;
        self.sender.send(input).map_err(|_disconnected| EngineGone)?;
        // The engine gives the room back once it has taken the input.
        permit.forget();
        Ok(())
    }

    /// Hands the input over if there is room now; gives it back otherwise.
    ///
    /// # Errors
    /// There is no room, or the engine has ended.
    pub fn try_send(&self, input: Input) -> Result<(), Box<Input>> {
        let Ok(permit) = self.room.try_acquire() else {
            return Err(Box::new(input));
        };
        self.sender.send(input).map_err(|refused| Box::new(refused.0))?;
        permit.forget();
        Ok(())
    }
}

impl Results {
    /// Never blocks. After the engine has ended the answer is dropped: it is in the store.
    pub fn send(&self, input: Input) {
        let _ = self.sender.send(Mail::Input(Box::new(input)));
    }

    pub(crate) fn stop(&self) {
        let _ = self.sender.send(Mail::Stop);
    }
}

impl Mailbox {
    /// Room for `taken` more inputs from outside.
    pub(crate) fn give_back(&self, taken: usize) {
        self.room.add_permits(taken);
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // Wakes senders that wait for room that nobody will make.
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intake_is_full_until_the_engine_has_taken_something() {
        let (mailbox, intake, _results) = mailbox(1);
        intake.try_send(Input::Tick).unwrap();
        assert!(intake.try_send(Input::Tick).is_err());
        mailbox.intake.recv().unwrap();
        mailbox.give_back(1);
        intake.try_send(Input::Tick).unwrap();
    }

    #[tokio::test]
    async fn senders_learn_that_the_engine_has_ended() {
        let (mailbox, intake, results) = mailbox(1);
        intake.send(Input::Tick).await.unwrap();
        let waiting = intake.clone();
        let waiter = tokio::spawn(async move { waiting.send(Input::Tick).await });
        drop(mailbox);
        assert_eq!(waiter.await.unwrap(), Err(EngineGone));
        results.send(Input::Tick);
    }
}
