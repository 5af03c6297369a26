//! One sandbox for jobs, build steps and pods: processes in a root file system with mounts, limits, network, output and an exit.
