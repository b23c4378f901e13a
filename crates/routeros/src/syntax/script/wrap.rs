//! Long lines broken as RouterOS breaks them: `\` at the end, four blanks before the rest.

/// A line with its `\` is at most this long, columns.
const WIDTH: usize = 80;
const INDENT: &str = "    ";

/// A command line, broken where it is too long: after a blank, after `=`, or within a string.
pub(super) fn wrapped(verb: &str, arguments: &[String]) -> String {
    let mut line = Line::new();
    line.push(verb);
    for argument in arguments {
        line.push(" ");
        line.may_break();
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        line.push(name);
        if argument.len() > name.len() {
            line.push("=");
            line.may_break();
            line.value(value);
        }
    }
    line.broken()
}

/// A line and the places at which it may be broken.
struct Line {
    units: Vec<Unit>,
}

/// A piece that stays together.
struct Unit {
    text: String,
    /// Whether a line may be broken before it.
    breakable: bool,
    /// Whether it is within a string.
    quoted: bool,
}

impl Line {
    fn new() -> Self {
        Self { units: Vec::new() }
    }

    fn push(&mut self, text: &str) {
        match self.units.last_mut() {
            Some(unit) if !unit.quoted => unit.text.push_str(text),
            _ => self.units.push(Unit { text: text.into(), breakable: false, quoted: false }),
        }
    }

    fn may_break(&mut self) {
        self.units.push(Unit { text: String::new(), breakable: true, quoted: false });
    }

    fn value(&mut self, value: &str) {
        if value.starts_with('"') {
            self.string(value);
            return;
        }
        // A plain value stays together if a line can hold it; a longer one breaks after commas.
        if value.len() + INDENT.len() < WIDTH {
            self.push(value);
            return;
        }
        for (at, element) in value.split_inclusive(',').enumerate() {
            if at > 0 {
                self.may_break();
            }
            self.push(element);
        }
    }

    /// A string may be broken anywhere but within an escape.
    fn string(&mut self, value: &str) {
        let mut rest = value;
        while !rest.is_empty() {
            let length = match rest.strip_prefix('\\').map(|escape| escape.as_bytes()) {
                Some([b'0'..=b'9' | b'A'..=b'F', ..]) => 3,
                Some(_) => 2,
                None => 1,
            };
            let (unit, after) = rest.split_at(length.min(rest.len()));
            let breakable = rest.len() < value.len() && rest.len() > 1;
            self.units.push(Unit { text: unit.into(), breakable, quoted: true });
            rest = after;
        }
    }

    fn broken(self) -> String {
        let mut text = String::new();
        let mut column = 0;
        let mut at = 0;
        while at < self.units.len() {
            // What belongs together up to the next place for a break.
            let next = self.units[at + 1..].iter().position(|unit| unit.breakable);
            let end = next.map_or(self.units.len(), |offset| at + 1 + offset);
            let piece: String = self.units[at..end].iter().map(|unit| unit.text.as_str()).collect();
            let last = end == self.units.len();
            let width = column + piece.len() + usize::from(!last);
            if self.units[at].breakable && width > WIDTH && column > INDENT.len() {
                text.push_str("\\\n");
                text.push_str(INDENT);
                column = INDENT.len();
            }
            // A blank at the beginning of a joined line would be lost.
            let hidden = column == INDENT.len() && self.units[at].quoted && piece.starts_with(' ');
            if hidden && text.ends_with(INDENT) {
                text.push_str("\\_");
                text.push_str(&piece[1..]);
                column += piece.len() + 1;
            } else {
                text.push_str(&piece);
                column += piece.len();
            }
            at = end;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(line: &str) -> String {
        let mut words = line.split('|');
        let verb = words.next().unwrap();
        wrapped(verb, &words.map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn lines_break_where_routeros_breaks_them() {
        assert_eq!(
            wrap(
                "add|address=192.168.88.0/24|comment=defconf|dns-server=192.168.88.1|\
                 gateway=192.168.88.1"
            ),
            "add address=192.168.88.0/24 comment=defconf dns-server=192.168.88.1 gateway=\\\n    \
             192.168.88.1"
        );
        assert_eq!(wrap("add|name=short|ranges=10.0.0.1"), "add name=short ranges=10.0.0.1");
        let broken = wrap(&format!("add|comment=\"{}\"|name=x", "word ".repeat(30)));
        assert!(broken.lines().all(|line| line.chars().count() <= WIDTH), "{broken}");
        assert!(broken.lines().skip(1).all(|line| !line.starts_with("     ")), "{broken}");
    }

    #[test]
    fn no_line_is_longer_than_it_has_to_be() {
        let many: Vec<String> = (0..30).map(|n| format!("10.0.{n}.1-10.0.{n}.99")).collect();
        let broken = wrap(&format!("add|name=p|ranges={}", many.join(",")));
        assert!(broken.lines().all(|line| line.len() <= WIDTH), "{broken}");
        let joined = broken.replace("\\\n    ", "");
        assert_eq!(joined, format!("add name=p ranges={}", many.join(",")));
    }
}
