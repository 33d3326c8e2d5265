//! What the machine has to offer: CPUs, descriptors, and its name.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity};
use std::fs;

pub(super) struct Machine {
    /// Those that this process may use.
    cpus: Vec<usize>,
    /// Open files that this process and each of its children may have.
    pub(super) descriptors: usize,
}

impl Machine {
    /// Looks, and asks for as many descriptors as the system gives; children inherit them.
    pub(super) fn look() -> Result<Machine, String> {
        let allowed = sched_getaffinity(None).map_err(|error| format!("CPUs: {error}"))?;
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised)
            .map_err(|error| format!("descriptor limit: {error}"))?;
        Ok(Machine {
            cpus: (0..CpuSet::MAX_CPU)
                .filter(|&cpu| allowed.is_set(cpu))
                .collect(),
            descriptors: limit.maximum.map_or(usize::MAX, |limit| limit as usize),
        })
    }

    #[cfg(test)]
    pub(super) fn with_descriptors(descriptors: usize) -> Machine {
        Machine {
            cpus: vec![0, 1],
            descriptors,
        }
    }

    pub(super) fn server_cpu(&self) -> Option<usize> {
        self.has_two().then(|| self.cpus[0])
    }

    pub(super) fn generator_cpu(&self) -> Option<usize> {
        self.has_two().then(|| self.cpus[1])
    }

    fn has_two(&self) -> bool {
        self.cpus.len() >= 2
    }

    /// What stands in the way of a good measurement.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if !self.has_two() {
            notices.push(
                "there is one CPU only: server and generator share it, so rates and latencies say little".to_string(),
            );
        } else if shares_a_core(self.cpus[1], &siblings_of(self.cpus[0])) {
            notices.push(format!(
                "CPUs {} and {} are threads of one core: server and generator slow each other",
                self.cpus[0], self.cpus[1]
            ));
        }
        notices
    }

    /// For whoever reads the results elsewhere.
    pub(super) fn describe(&self) -> String {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu_info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let cpus = match self.cpus.len() {
            1 => "1 CPU".to_string(),
            count => format!("{count} CPUs"),
        };
        format!(
            "{}, {cpus}, Linux {}",
            model.unwrap_or("unknown processor"),
            kernel.trim()
        )
    }
}

/// The CPUs that are threads of the same core as this one, itself among them: as numbers and ranges,
/// `0,64` or `0-1`. Nothing where the system does not tell.
fn siblings_of(cpu: usize) -> String {
    let file = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
    fs::read_to_string(file).unwrap_or_default()
}

fn shares_a_core(cpu: usize, siblings: &str) -> bool {
    siblings.trim().split(',').any(|part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) => (from..=to).contains(&cpu),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_core_are_known_by_its_list() {
        for (siblings, shares) in [
            ("0-1\n", true),
            ("0,1\n", true),
            ("0,64-65,1\n", true),
            ("0\n", false),
            ("0,64\n", false),
            ("0,10-11\n", false),
            ("", false),
        ] {
            assert_eq!(shares_a_core(1, siblings), shares, "{siblings:?}");
        }
    }
}
