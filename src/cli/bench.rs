//! `localmax bench`.
use anyhow::Result;
/// x
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}
pub(super) fn run(_: &Arguments) -> Result<()> {
    Ok(())
}
