//! A terminal of which every key is heard at once. Comes in: lines of text. Goes out: keys. Refuses: leaving the terminal
//! otherwise than it was found.

use std::{
    io::{self, Read, Write},
    thread,
};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

/// Columns and rows of a terminal that does not say.
const USUAL: (usize, usize) = (80, 24);

/// Keys that may wait; more than a person presses between two looks.
const KEYS: usize = 64;

/// To the alternate screen, without a cursor; and back. ECMA-48 and xterm's private modes 1049 and 25.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The terminal, as we need it. Dropping it gives it back as it was.
pub(super) struct Terminal {
    before: Termios,
    keys: mpsc::Receiver<u8>,
}

impl Terminal {
    /// Takes over the terminal of stdin and stdout.
    pub(super) fn open() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        let (sender, keys) = mpsc::channel(KEYS);
        thread::Builder::new().name("keys".into()).spawn(move || listen(&sender))?;
        let terminal = Self { before, keys };
        write(ENTER)?;
        Ok(terminal)
    }

    /// Columns and rows as they are now.
    pub(super) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
            _ => USUAL,
        }
    }

    /// Shows these lines, from the top.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        write(&format!("\x1b[H{}\x1b[J", lines.join("\r\n")))
    }

    /// The next key; `None` once there will be no more.
    pub(super) async fn key(&mut self) -> Option<u8> {
        self.keys.recv().await
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _left = write(LEAVE);
        let _restored = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Until the terminal or the listener is gone.
fn listen(keys: &mpsc::Sender<u8>) {
    let mut key = [0];
    while io::stdin().read_exact(&mut key).is_ok() && keys.blocking_send(key[0]).is_ok() {}
}
