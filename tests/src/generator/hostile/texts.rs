//! Short texts that some format, language or terminal has its own ideas of. All are lines as the model takes them: not empty, not white
//! space alone, without U+0000.

/// What formats have their own ideas of.
const FORMATS: &[&str] = &[
    // SQL.
    "'); DROP TABLE tasks; --",
    "Robert'); DELETE FROM users WHERE ('1' = '1",
    "'",
    "''",
    "E'\\x00\\'",
    "U&'\\0041'",
    "$1 $2 $$ $body$ ? :name @p1",
    "/* */ -- ; \\gexec \\q",
    "%s %d %n {} {0} {{",
    // JSON.
    "\"",
    "\\\"",
    r#"{"kind":"user","nested":[null,{"text":"\"\\\/\b\f\n\r\té","deep":[[[[]]]]}]}"#,
    r"\u0000",
    r"\\u0000",
    r"\ud800 \udfff \uD83D\uDE00",
    "]}\n{\"kind\":\"task\"}\n",
    "9007199254740993 1e400 -0 NaN Infinity",
    "true",
    // CSV, and what COPY writes and reads.
    "a,\"b \"\"c\"\"\",,\r\n\"",
    r"\N",
    r"\.",
    "\\.\n\\N\t\\\\N",
    "before\\.\nafter",
    "\tbegins and ends with a tab\t",
    "=1+1",
    "PGCOPY\n\u{ff}\r\n",
    // Arrays and rows.
    "{NULL,\"a\"}",
    "{}",
    "{{1,2},{3,4}}",
    "{\"\\\"\",\\\\,\" \"}",
    "(,)",
    "NULL",
    "null",
    "nil",
    ",",
    // Backslashes, and what they make of others.
    "\\",
    "\\\\\\",
    "C:\\new\\table\\x41\\101",
    // Markup, shells, terminals, paths.
    "<script>alert('&amp;&#0;')</script>]]>",
    "$(reboot) `reboot` ; reboot & | > /dev/null",
    "\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}\u{8}\u{8}",
    "../../etc/passwd",
    "--help",
    "# title\n---\nkey: value\n...\n",
    "0x00 0b1 1_000 ١٢٣",
];

/// What readers of text have their own ideas of.
const CHARACTERS: &[&str] = &[
    // White space, and what stands where it does.
    " leading and trailing ",
    "\u{a0}\u{2003}\u{3000}x\u{205f}\u{1680}",
    "one\rtwo\ntwo\r\nthree\u{b}four\u{c}five\u{85}six\u{2028}seven\u{2029}eight",
    "\u{200b}",
    "\u{feff}",
    "\u{feff}begins with a byte order mark",
    "\u{1}",
    "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{e}\u{f}\u{10}\u{11}\u{12}\u{13}\u{14}\u{15}\u{16}\u{17}\u{18}\u{19}\u{1a}\u{1b}\u{1c}\u{1d}\u{1e}\u{1f}\u{7f}",
    "\u{80}\u{81}\u{82}\u{84}\u{86}\u{8d}\u{90}\u{9b}\u{9c}\u{9f}\u{ad}",
    // The same to the eye, and not the same.
    "é",
    "e\u{301}",
    "Å \u{212b} A\u{30a}",
    "ﬁ fi ß ẞ SS İ i\u{307} ı I ǅ ς Σ",
    "ｆｕｌｌ half ｶﾞ ガ",
    // Marks that begin a text, and too many of them.
    "\u{301}\u{327}begins with marks",
    "Z\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}\u{30c}\u{30d}\u{30e}\u{30f}\u{310}\u{311}\u{312}",
    // From right to left, and turned.
    "שלום עולם abc 123 مرحبا بالعالم",
    "\u{202e}turned\u{202c} \u{2066}isolated\u{2069} \u{200f}\u{200e}\u{61c} never closed \u{202b}",
    // One sign of several characters.
    "👩\u{200d}👩\u{200d}👧\u{200d}👦 👩🏽\u{200d}💻 🏳\u{fe0f}\u{200d}🌈 🇩🇪🇫 1\u{fe0f}\u{20e3} ❤\u{fe0e}❤\u{fe0f}",
    "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} \u{200d}\u{200d}\u{fe0f}",
    "각 \u{1100}\u{1161}\u{11a8} नि ที่ ﷽ \u{fdfa}",
    // What is no character.
    "\u{fffe}\u{ffff}",
    "\u{fdd0}\u{fdef}\u{1fffe}\u{1ffff}\u{10fffe}\u{10ffff}",
    "\u{fffd}\u{fffc}\u{fff9}\u{fffb}",
    // Around the surrogates, and where one more byte is needed.
    "\u{d7ff}\u{e000} \u{7f}\u{80} \u{7ff}\u{800} \u{ffff}\u{10000}",
];

/// All of them, and one for each plane of Unicode.
pub(super) fn all() -> Vec<String> {
    let given = FORMATS.iter().chain(CHARACTERS).map(|text| (*text).to_owned());
    given.chain((0..=16).map(of_plane)).collect()
}

/// Characters from all over a plane, its two last code points among them.
fn of_plane(plane: u32) -> String {
    let (first, last) = (plane << 16, plane << 16 | 0xffff);
    let spread = (first + 1..last).step_by(0x1779);
    spread.chain([last - 1, last]).filter_map(char::from_u32).collect()
}

/// The text as far as a field takes it.
pub(super) fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

/// A text of exactly so many characters, which are not all the same: what compresses well would hide a limit on what is stored.
pub(super) fn of_length(chars: usize) -> String {
    // From the last plane, so that each is four bytes long.
    (0..chars as u32).filter_map(|i| char::from_u32(0x10_ffff - i * 251 % 0xffff)).collect()
}
