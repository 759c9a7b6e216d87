//! `localmax study`: experiments of many runs that answer a question.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches};

use super::compare::Compare;
use super::progress::Bar;
use super::{interrupt, output, source};
use crate::error::Error;
use crate::io::input;
use crate::study::catalogue::{self, CATALOGUE, Entry, Outcome, Planned, Shard};
use crate::study::{Claim, Folder};

const EXAMPLES: &str = "Examples:
  localmax study quiescent                        one study at its default size, with a report at the end
  localmax study quiescent --quick --out q        a small one, in seconds; the same command again goes on where it was
  localmax study resume q                         goes on with an interrupted study, or draws its report anew
  localmax study q/study.toml --out q2            asks the same again";

/// Run an experiment of many runs: what the theory claims beside what is measured, in a report with
/// pictures
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    study: Study,
}

// Where a study goes and how it is taken; the same for all. (A doc comment would replace the
// study's own title in help.)
#[derive(Debug, clap::Args)]
struct Place {
    /// Folder of the study; otherwise runs/NAME-K with the first free K. A folder that holds the
    /// same study goes on
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Compute only the cells of part I of N, for job arrays into one folder; whoever finishes last
    /// writes the report
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// End after this time, as after a signal: `resume` goes on; 3600 (seconds), 90m, 2h
    #[arg(long, value_name = "TIME", value_parser = source::time)]
    wall: Option<Duration>,
}

/// Go on with an interrupted study; of a finished one, draw the report anew
#[derive(Debug, clap::Args)]
struct Resume {
    /// The study's folder
    dir: PathBuf,
    /// Compute only the cells of part I of N
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// End after this time, as after a signal: `resume` goes on; 3600 (seconds), 90m, 2h
    #[arg(long, value_name = "TIME", value_parser = source::time)]
    wall: Option<Duration>,
}

#[derive(Debug)]
enum Study {
    Compare(Box<Compare>),
    Resume(Resume),
    /// One of the catalogue, with its own options.
    Named(&'static str, Box<ArgMatches>),
    /// A file that asks for one.
    File(PathBuf, Place),
}

impl FromArgMatches for Study {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (name, own) = matches.subcommand().ok_or_else(missing)?;
        Ok(match name {
            "compare" => Self::Compare(Box::new(Compare::from_arg_matches(own)?)),
            "resume" => Self::Resume(Resume::from_arg_matches(own)?),
            _ => match CATALOGUE.iter().find(|entry| entry.name == name) {
                Some(entry) => Self::Named(entry.name, Box::new(own.clone())),
                None => Self::File(name.into(), external(name, own)?),
            },
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The options behind the name of a file; an argument that is neither a study nor a file is a
/// mistyped study.
fn external(name: &str, own: &ArgMatches) -> Result<Place, clap::Error> {
    if !Path::new(name).is_file() && Path::new(name).extension().is_none_or(|ending| ending != "toml") {
        let names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).chain(["compare", "resume"]).collect();
        let near = names.iter().min_by_key(|known| strsim::levenshtein(known, name)).copied().unwrap_or("");
        let text = format!(
            "there is no study '{name}', nor a file of that name; did you mean '{near}'? There are {}",
            names.join(", ")
        );
        return Err(clap::Error::raw(clap::error::ErrorKind::InvalidSubcommand, text));
    }
    let rest = own.get_many::<std::ffi::OsString>("").into_iter().flatten();
    let words = std::iter::once("study.toml".into()).chain(rest.cloned());
    let matches =
        Place::augment_args(Command::new("study.toml").disable_help_flag(true)).try_get_matches_from(words)?;
    Place::from_arg_matches(&matches)
}

impl clap::Subcommand for Study {
    fn augment_subcommands(command: Command) -> Command {
        let command = command
            .subcommand_required(true)
            .arg_required_else_help(true)
            .allow_external_subcommands(true)
            .subcommand_value_name("NAME|STUDY.toml");
        let command = CATALOGUE.iter().fold(command, |command, entry| command.subcommand(named(entry)));
        command
            .subcommand(Compare::augment_args(Command::new("compare")))
            .subcommand(Resume::augment_args(Command::new("resume")))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        ["compare", "resume"].contains(&name) || CATALOGUE.iter().any(|entry| entry.name == name)
    }
}

/// The command of a study; its help says what is taken where an option is left out.
fn named(entry: &Entry) -> Command {
    let command = (entry.options)(Command::new(entry.name).after_help(entry.examples));
    let defaults = (entry.defaults)();
    let command = command.mut_args(move |arg| {
        let known = defaults.iter().find(|(key, _)| key == arg.get_id().as_str());
        match (known, arg.get_help().map(ToString::to_string)) {
            (Some((_, value)), Some(help)) if !value.trim_matches(['"', '[', ']']).is_empty() => {
                arg.help(format!("{help} [default: {}]", value.replace(['"', '[', ']'], "")))
            }
            _ => arg,
        }
    });
    let quick = Arg::new("quick")
        .long("quick")
        .action(ArgAction::SetTrue)
        .help("Seconds instead of minutes: smaller values for what is left out");
    // Last: the doc comments of options would take the title's place.
    Place::augment_args(command.arg(quick)).about(entry.title).long_about(None)
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.study {
        Study::Compare(compare) => super::compare::run(compare),
        Study::Resume(Resume { dir, shard, wall }) => {
            interrupt::watch("nothing was changed", *wall)?;
            let (folder, text) = Folder::open(dir)?;
            let study = catalogue::read(&text, &dir.join("study.toml").display().to_string())?;
            take(study.as_ref(), &folder, *shard)
        }
        Study::Named(name, matches) => {
            let entry = CATALOGUE.iter().find(|entry| entry.name == *name);
            let entry = entry.ok_or_else(|| Error::input(format!("there is no study {name}")))?;
            let study = (entry.ask)(matches, matches.get_flag("quick"))?;
            start(study.as_ref(), &Place::from_arg_matches(matches)?)
        }
        Study::File(path, place) => {
            let text = input::given(path, input::SHORT)?;
            start(catalogue::read(&text, &path.display().to_string())?.as_ref(), place)
        }
    }
}

fn start(study: &dyn Planned, place: &Place) -> Result<()> {
    interrupt::watch("nothing was begun", place.wall)?;
    let folder = Folder::create(place.out.as_deref(), study.name(), &study.to_toml()?)?;
    take(study, &folder, place.shard)
}

/// Takes a study to its report and prints what it came to.
fn take(study: &dyn Planned, folder: &Folder, shard: Option<Shard>) -> Result<()> {
    interrupt::begin("the cell in hand is lost; `localmax study resume` goes on");
    let mut progress = Bar::new(0);
    let outcome = study.run(folder, shard, &mut |at| {
        if let Some(note) = at.note {
            output::note(note);
        }
        progress.set_total(at.total);
        progress.at(at.done, at.cell);
        interrupt::flow()
    });
    progress.done();
    let outcome = outcome?;
    if let Some(note) = &outcome.note {
        output::note(note);
    }
    Ok(output::print(&summary(study.name(), folder, &outcome))?)
}

fn summary(name: &str, folder: &Folder, outcome: &Outcome) -> String {
    let Outcome { cells, finished, claims, written, .. } = outcome;
    let mut text = format!("{name}: {finished} of {cells} cells\n");
    for Claim { claim, measured, error, agrees, basis, .. } in claims {
        text +=
            &format!("{:<12} {claim} ({})\n             {measured}; criterion: {error}\n", agrees.name(), basis.name());
    }
    for path in written {
        text += &format!("wrote        {}\n", path.display());
    }
    if finished < cells {
        text += "report       none yet: other cells are still to be computed\n";
    }
    text + &format!("study        {}\n", folder.path().display())
}
