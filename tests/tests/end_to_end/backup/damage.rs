//! Files that are no whole backup, or not for whoever opens them: each is refused in one line, before anything is touched. What must not come in:
//! files that are.

use age::secrecy::ExposeSecret as _;
use mosaic_tests::generator::{Generator, Size};

use super::{Tier, made};

#[tokio::test]
async fn a_file_that_is_no_whole_backup_touches_nothing() {
    let data = Generator::new(61, Size::small());
    let source = Tier::with("standalone", &data).await;
    let place = &source.place;
    let identity = age::x25519::Identity::generate();
    let other = age::x25519::Identity::generate();
    for (name, key) in [("key.txt", &identity), ("other.txt", &other)] {
        place.write(name, key.to_string().expose_secret());
    }
    place.write("team.txt", format!("# us\n{}\n", identity.to_public()));
    made(place, "open", &[]).await;
    made(place, "sealed", &["--recipients-file", "team.txt"]).await;
    let (open, sealed) = (place.read("open"), place.read("sealed"));
    place.write("cut", &open[..open.len() - 1]);
    place.write("half", &open[..open.len() / 2]);
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x10;
        bytes
    };
    place.write("flipped", flipped(&open, open.len() / 2));
    place.write("sealed-flipped", flipped(&sealed, sealed.len() - 7));
    place.write("sealed-cut", &sealed[..sealed.len() / 2]);
    place.write("empty", b"");
    place.write("lines.jsonl", b"{\"kind\":\"user\"}\n");
    place.run(&["backup", "verify", "sealed", "--identity", "key.txt"]).await.exit(0);

    let target = Tier::new("local").await;
    let damaged: &[&str] = &["the backup is damaged", "use another copy"];
    let cases: [(&str, &[&str], &[&str]); 12] = [
        ("cut", &[], damaged),
        ("half", &[], damaged),
        ("flipped", &[], damaged),
        ("sealed-flipped", &["--identity", "key.txt"], damaged),
        ("sealed-cut", &["--identity", "key.txt"], damaged),
        ("empty", &[], &["this is no backup"]),
        ("lines.jsonl", &[], &["this is no backup", "mosaic import"]),
        ("sealed", &[], &["the backup is encrypted", "--identity"]),
        ("sealed", &["--identity", "other.txt"], &["none of the identities opens the backup"]),
        ("sealed", &["--identity", "team.txt"], &["holds no identity", "age-keygen"]),
        ("sealed", &["--identity", "absent.txt"], &["cannot be read", "absent.txt"]),
        ("absent", &[], &["cannot be read", "absent"]),
    ];
    for (file, options, names) in cases {
        place.run(&[&["backup", "verify", file], options].concat()).await.fails_with(names);
        let file = place.path(file);
        let options = options.iter().map(|option| match option.strip_suffix(".txt") {
            Some(_) => place.path(option).to_str().unwrap().to_owned(),
            None => (*option).to_owned(),
        });
        let options: Vec<_> = options.collect();
        let arguments: Vec<&str> =
            ["backup", "restore", file.to_str().unwrap()].into_iter().chain(options.iter().map(String::as_str)).collect();
        target.place.run(&arguments).await.fails_with(names);
        assert_eq!(target.files(), [""; 0], "nothing is made");
    }
    for (options, names) in
        [(["--recipient", "age1nobody"], ["this is no recipient", "age-keygen"]), (["--recipients-file", "empty"], ["has none", ""])]
    {
        place.run(&[&["backup", "create", "new"], &options[..]].concat()).await.fails_with(&names);
    }
    let secret = identity.to_string().expose_secret().to_owned();
    let outcome = place.run(&["backup", "create", "new", "--recipient", &secret]).await.fails_with(&["this is no recipient"]);
    assert!(!outcome.stderr.contains(&secret), "a secret key is not repeated");
    assert!(!place.path("new").exists());
}
