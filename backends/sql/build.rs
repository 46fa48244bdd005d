//! Has the crate rebuilt when a migration is added: the macro that embeds them sees only those that were there.

fn main() {
    #[expect(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
    {
        println!("cargo:rerun-if-changed=migrations");
    }
}
