//! What the shell and `man` are told of the commands: all of them, from the same source as `--help`.

use crate::harness::Place;

/// The commands that `--help` lists, below the ones named.
async fn commands(place: &Place, below: &[&str]) -> Vec<String> {
    let help = place.run(&[below, &["--help"]].concat()).await.exit(0).text();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description's second line stands further in.
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[tokio::test]
async fn every_shell_is_told_of_every_command() {
    let place = Place::new();
    let names = commands(&place, &[]).await;
    assert!(names.len() >= 13 && names.iter().any(|name| name == "task"), "{names:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = place.run(&["completions", shell]).await.exit(0).text();
        for name in names.iter().map(String::as_str).chain(["--assignee", "--view-all"]) {
            assert!(script.contains(name.trim_start_matches('-')), "{shell} is not told of {name}");
        }
    }
    // A script that bash does not take would be of no use.
    let script = place.run(&["completions", "bash"]).await.exit(0).stdout;
    place.write("completions.bash", script);
    let try_it = "source completions.bash; COMP_WORDS=(mosaic task l); COMP_CWORD=2; _mosaic mosaic l task; echo ${COMPREPLY[@]}";
    let output = std::process::Command::new("bash").args(["-c", try_it]).current_dir(place.path("")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "list", "{}", String::from_utf8_lossy(&output.stderr));
    place.run(&["completions", "cmd"]).await.exit(2);
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    let place = Place::new();
    let page = place.run(&["man"]).await.exit(0).text();
    assert!(page.contains(".TH mosaic 1"), "{page}");
    let names = commands(&place, &[]).await;
    for name in &names {
        assert!(page.replace('\\', "").contains(&format!("mosaic-{name}(1)")), "{name} is not on the page");
    }
    let page = place.run(&["man", "task", "add"]).await.exit(0).text();
    assert!(
        page.contains(concat!(".TH mosaic-task-add 1  \"mosaic ", env!("CARGO_PKG_VERSION")))
            && page.replace('\\', "").contains("--priority"),
        "{page}"
    );
    let page = place.run(&["man", "search"]).await.exit(0).text();
    assert!(page.contains(".SH EXAMPLES\n.nf\nmosaic search glaze order\n") && !page.contains("EXTRA"), "{page}");
    place.run(&["man", "task", "nonesuch"]).await.fails_with(&["nonesuch"]);

    place.run(&["man", "--dir", "absent"]).await.fails_with(&["absent", "mkdir -p absent"]);
    std::fs::create_dir(place.path("man1")).unwrap();
    place.run(&["man", "--dir", "man1"]).await.exit(0);
    assert_eq!(String::from_utf8(place.read("man1/mosaic-search.1")).unwrap().trim_end(), page.trim_end());
    for name in &names {
        assert!(place.path(&format!("man1/mosaic-{name}.1")).exists(), "{name} has no page");
        for below in commands(&place, &[name]).await {
            assert!(place.path(&format!("man1/mosaic-{name}-{below}.1")).exists(), "{name} {below} has no page");
        }
    }
}
