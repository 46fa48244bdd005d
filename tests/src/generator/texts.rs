//! What people write: titles, bodies and names, in several languages, with Markdown and emoji. They are words in no order, since nothing
//! reads them but a search. What must not come in: what is meant to break something, which is `hostile`'s.

use super::draw::Draw;

struct Language {
    words: &'static [&'static str],
    /// What stands between two words.
    gap: &'static str,
    /// What ends a sentence.
    end: &'static str,
}

const LANGUAGES: &[Language] = &[
    Language {
        words: &[
            "the",
            "engine",
            "weaves",
            "patterns",
            "of",
            "numbers",
            "release",
            "checklist",
            "review",
            "before",
            "Friday",
            "migrate",
            "a",
            "cluster",
            "and",
            "restore",
            "its",
            "backup",
            "latency",
            "of",
            "queries",
            "fails",
            "when",
            "nobody",
            "looks",
            "again",
            "don't",
            "cache",
            "invoices",
            "customer",
            "asks",
            "for",
            "timezone",
            "support",
            "in",
            "v2.1",
            "scheduler",
            "node",
            "budget",
            "quarterly",
        ],
        gap: " ",
        end: ".",
    },
    Language {
        words: &[
            "die",
            "Schlüssel",
            "für",
            "Größe",
            "prüfen",
            "Übergabe",
            "nächste",
            "Woche",
            "müssen",
            "wir",
            "außerdem",
            "Straßenkarte",
            "ändern",
            "und",
            "Verträge",
            "unterschreiben",
        ],
        gap: " ",
        end: "!",
    },
    Language {
        words: &[
            "réunion",
            "à",
            "l’équipe",
            "déjà",
            "vérifié",
            "où",
            "çà",
            "naïve",
            "œuvre",
            "été",
            "garçon",
            "sûr",
            "et",
            "budget",
            "prévu",
        ],
        gap: " ",
        end: " ?",
    },
    Language {
        words: &["задача", "срочно", "проверить", "отчёт", "для", "команды", "и", "сервер", "завтра", "объект", "новый", "ключ"],
        gap: " ",
        end: ".",
    },
    Language {
        words: &["η", "συνάντηση", "ομάδα", "σήμερα", "έλεγχος", "και", "αρχείο", "λύση", "πρώτος", "κώδικας"], gap: " ", end: ";"
    },
    Language {
        words: &["اجتماع", "الفريق", "مراجعة", "التقرير", "غدا", "مهمة", "جديدة", "الخادم", "ملاحظات", "من"], gap: " ", end: "؟"
    },
    Language {
        words: &["פגישה", "צוות", "דוח", "מחר", "משימה", "חדשה", "שרת", "בדיקה"], gap: " ", end: "."
    },
    Language {
        words: &["बैठक", "टीम", "रिपोर्ट", "कल", "नया", "कार्य", "सर्वर", "जाँच", "क्षमता"], gap: " ", end: "।"
    },
    Language {
        words: &["会议", "团队", "报告", "明天", "检查", "服务器", "新的", "任务", "数据库", "迁移"], gap: "", end: "。"
    },
    Language {
        words: &["会議", "の", "資料", "を", "確認する", "サーバー", "明日", "まで", "タスク", "ﾃｽﾄ"], gap: "", end: "。"
    },
    Language { words: &["회의", "팀", "보고서", "내일", "확인", "서버", "새로운", "작업"], gap: " ", end: "." },
];

const EMOJI: &[&str] = &["🚀", "🎉", "👩‍💻", "🏳️‍🌈", "👍🏽", "🇩🇪", "1️⃣", "❤️", "🧩", "✅"];

const TAGS: &[&str] = &["backend", "bug", "Größe", "срочно", "重要", "🚀 launch", "needs review", "v2.1", "a,b", "\"quoted\"", "q3/plan"];

const FIRST_NAMES: &[&str] =
    &["Ada", "Grace", "Søren", "Zoë", "José", "Владимир", "Ελένη", "عمر", "נועה", "अनिल", "伟", "さくら", "지우", "O’Brian"];
const LAST_NAMES: &[&str] =
    &["Lovelace", "Hopper", "Kierkegaard", "Müller-Lüdenscheidt", "García Márquez", "Петров", "王", "田中", "김", "Ng"];

/// A sentence in one language.
fn sentence(draw: &mut Draw, language: &Language, words: usize) -> String {
    let words: Vec<_> = (0..words).map(|_| draw.one_of(language.words)).collect();
    words.join(language.gap)
}

fn language(draw: &mut Draw) -> &'static Language {
    // Most is in the first one.
    let most = draw.chance(50);
    &LANGUAGES[if most { 0 } else { draw.below(LANGUAGES.len()) }]
}

/// What something is called: far from the bound of a title.
pub(super) fn title(draw: &mut Draw) -> String {
    let (language, words) = (language(draw), draw.between(1, 8));
    let mut title = sentence(draw, language, words);
    if draw.chance(10) {
        title.push(' ');
        title.push_str(draw.one_of(EMOJI));
    }
    title
}

/// A body of about so many bytes, in Markdown.
pub(super) fn body(draw: &mut Draw, bytes: usize) -> String {
    let language = language(draw);
    let mut body = String::with_capacity(bytes + 300);
    while body.len() < bytes {
        let words = draw.between(3, 14);
        let said = sentence(draw, language, words);
        let emoji = if draw.chance(5) { draw.one_of(EMOJI) } else { "" };
        let (before, after) = match draw.below(12) {
            0 => ("# ", "\n\n"),
            1 => ("- [ ] *", "*\n"),
            2 => ("```sh\necho '", "' | grep \"x\\n\" > /dev/null\n```\n\n"),
            3 => ("> ", "\r\n\r\n"),
            4 => ("| a\t| ", " |\n"),
            _ => ("", language.end),
        };
        body.extend([before, &said, emoji, after]);
        body.push_str(if after == language.end { language.gap } else { "" });
    }
    body
}

/// Up to four tags, none twice.
pub(super) fn tags(draw: &mut Draw) -> Vec<String> {
    let (first, count) = (draw.below(TAGS.len()), draw.below(5));
    TAGS.iter().cycle().skip(first).take(count).map(|tag| (*tag).to_owned()).collect()
}

/// What a person is called.
pub(super) fn name(draw: &mut Draw) -> String {
    format!("{} {}", draw.one_of(FIRST_NAMES), draw.one_of(LAST_NAMES))
}
