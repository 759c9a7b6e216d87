//! What a launcher says in the environment of the processes that it starts together.

/// Variables with the number of processes, by launcher; and one that is there only in a process that it
/// has started, not in a script around it.
const LAUNCHERS: [(&str, &str); 5] = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"), // Open MPI
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),   // MVAPICH2
    ("PMI_SIZE", "PMI_RANK"),                         // MPICH, Intel MPI
    ("PALS_SIZE", "PALS_RANKID"),                     // Cray
    // SLURM_NTASKS is that of a whole job, whose script may start runs of one process.
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
];

/// The number of processes that a launcher (mpirun, srun) started together with this one, if they are more
/// than one, and the variable that says so.
pub fn launched() -> Option<(usize, &'static str)> {
    said(|name| std::env::var(name).ok())
}

/// Variables with the number of a process among those of its machine, by launcher.
const LOCAL: [&str; 5] = [
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "PALS_LOCAL_RANKID",
    "SLURM_LOCALID",
];

/// The number of this process among those of its machine that a launcher started together, from 0; 0 where none says.
pub fn local_rank() -> usize {
    LOCAL.iter().find_map(|name| std::env::var(name).ok()?.trim().parse().ok()).unwrap_or(0)
}

fn said(variable: impl Fn(&str) -> Option<String>) -> Option<(usize, &'static str)> {
    LAUNCHERS.into_iter().find_map(|(size, rank)| {
        variable(rank)?;
        let count = variable(size)?.trim().parse().ok().filter(|count| *count > 1)?;
        Some((count, size))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A job of one task, or of an array, is one process like any other; its run must not be refused.
    #[test]
    fn only_processes_started_together_are_ranks() {
        let of = |set: &'static [(&'static str, &'static str)]| {
            said(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("SLURM_NTASKS", "8"), ("SLURM_PROCID", "0")]), None, "the script of a job");
        assert_eq!(of(&[("SLURM_NTASKS", "1"), ("SLURM_PROCID", "0"), ("SLURM_STEP_NUM_TASKS", "1")]), None);
        assert_eq!(of(&[("SLURM_ARRAY_TASK_COUNT", "9"), ("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_PROCID", "0")]), None);
        assert_eq!(of(&[("OMPI_COMM_WORLD_SIZE", "1"), ("OMPI_COMM_WORLD_RANK", "0")]), None);
        let srun = of(&[("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_PROCID", "2"), ("PMI_SIZE", "x"), ("PMI_RANK", "2")]);
        assert_eq!(srun, Some((4, "SLURM_STEP_NUM_TASKS")));
        assert_eq!(of(&[("PMI_SIZE", "2"), ("PMI_RANK", "0")]), Some((2, "PMI_SIZE")));
    }
}
