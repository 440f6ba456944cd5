// Remedies to copy and paste, for each environment that programs run in.

/** Commands and settings that make rings available, for each environment that has a remedy. */
export interface Remedies {
  /** Commands for a shell, on this machine. */
  readonly shell?: string
  /** Lines for a unit, or for a drop-in under `/etc/systemd/system/UNIT.service.d/`. */
  readonly systemd?: string
  /** Commands and options for Docker. */
  readonly docker?: string
  /** A part of a pod's specification, and commands for the node. */
  readonly kubernetes?: string
}

const CALLS = ['io_uring_setup', 'io_uring_enter', 'io_uring_register'] as const

const PROFILE = `curl -fsSL https://raw.githubusercontent.com/moby/profiles/main/seccomp/default.json \\
  | jq '.syscalls += [{"names": [${CALLS.map((name) => `"${name}"`).join(', ')}], "action": "SCMP_ACT_ALLOW"}]' \\
  > io-uring.json`

/** For `kernel.io_uring_disabled` = 2. */
export const SYSCTL: Remedies = {
  shell: `sudo sysctl -w kernel.io_uring_disabled=0
# and permanently:
echo 'kernel.io_uring_disabled = 0' | sudo tee /etc/sysctl.d/99-io-uring.conf`,
  systemd: `# /etc/sysctl.d/99-io-uring.conf, applied by: systemctl restart systemd-sysctl
kernel.io_uring_disabled = 0`,
  docker: `# On the host: the setting is the kernel's, and docker run --sysctl does not accept it.
sudo sysctl -w kernel.io_uring_disabled=0`,
  kubernetes: `# On the node: the setting is the kernel's, and securityContext.sysctls does not accept it.
kubectl debug node/NODE -it --image=busybox --profile=sysadmin -- sysctl -w kernel.io_uring_disabled=0`,
}

/** For `kernel.io_uring_disabled` = 1, which admits the members of a group. */
export const SYSCTL_GROUP: Remedies = {
  ...SYSCTL,
  shell: `sudo sysctl -w kernel.io_uring_disabled=0
# or, for the members of a group only:
sudo groupadd --force io_uring && sudo usermod --append --groups io_uring USER
sudo sysctl -w kernel.io_uring_group="$(getent group io_uring | cut -d: -f3)"
# and permanently: the same settings in /etc/sysctl.d/99-io-uring.conf`,
  systemd: `# the group of kernel.io_uring_group:
[Service]
SupplementaryGroups=io_uring`,
}

/** Advice for a seccomp filter. */
export const SECCOMP_ADVICE: string = `Run the container with a profile that allows ${CALLS[0]}, ${CALLS[1]} and ${CALLS[2]} (docker run --security-opt seccomp=PROFILE.json)`

/** For a seccomp filter. */
export const SECCOMP: Remedies = {
  systemd: `# only for a unit that already has a SystemCallFilter=:
[Service]
SystemCallFilter=${CALLS.join(' ')}`,
  docker: `# Docker's default profile, with the three system calls of io_uring allowed:
${PROFILE}
docker run --security-opt seccomp=io-uring.json IMAGE`,
  kubernetes: `# On each node, as /var/lib/kubelet/seccomp/profiles/io-uring.json:
${PROFILE}
# In the pod:
securityContext:
  seccompProfile:
    type: Localhost
    localhostProfile: profiles/io-uring.json`,
}

/** For a security module. */
export const LSM: Remedies = {
  shell: `# SELinux: list the denials, and allow them
sudo ausearch -m avc -ts recent | grep io_uring
sudo ausearch -m avc -ts recent | audit2allow -M node-io-uring && sudo semodule -i node-io-uring.pp`,
}

/** For a limit of locked memory that is too low. */
export const MEMLOCK: Remedies = {
  shell: `# for this shell and its child processes, 64 MiB:
sudo prlimit --pid $$ --memlock=67108864:67108864
# and for every login of the user, in KiB:
echo "$USER - memlock 65536" | sudo tee /etc/security/limits.d/99-memlock.conf`,
  systemd: `[Service]
LimitMEMLOCK=64M`,
  docker: 'docker run --ulimit memlock=67108864:67108864 IMAGE',
  kubernetes: `# A pod inherits the limit of its node's container runtime. On each node, for containerd:
# /etc/systemd/system/containerd.service.d/memlock.conf, applied by: systemctl daemon-reload && systemctl restart containerd
[Service]
LimitMEMLOCK=64M
# Or, in a pod that runs as root, lift the limit:
securityContext:
  capabilities:
    add: ["IPC_LOCK"]`,
}

/** For a machine or cgroup that is out of memory. */
export const MEMORY: Remedies = {
  shell: 'free -m',
  systemd: `[Service]
MemoryMax=1G`,
  docker: 'docker run --memory 1g IMAGE',
  kubernetes: `resources:
  limits:
    memory: 1Gi`,
}

/** For too many open files. */
export const FILES: Remedies = {
  shell: 'ulimit -n "$(ulimit -Hn)"',
  systemd: `[Service]
LimitNOFILE=65536`,
  docker: 'docker run --ulimit nofile=65536:65536 IMAGE',
  kubernetes: `# A pod inherits the limit of its node's container runtime. On each node, for containerd:
# /etc/systemd/system/containerd.service.d/files.conf, applied by: systemctl daemon-reload && systemctl restart containerd
[Service]
LimitNOFILE=65536`,
}

/** For a kernel without io_uring. */
export const KERNEL: Remedies = {
  shell: `uname -r # 5.6 or later, and built with CONFIG_IO_URING=y:
grep CONFIG_IO_URING "/boot/config-$(uname -r)" || zgrep CONFIG_IO_URING /proc/config.gz`,
  docker: '# without a sandbox that has its own kernel, such as gVisor:\ndocker run --runtime runc IMAGE',
  kubernetes: `# without a sandbox that has its own kernel, such as gVisor: remove this from the pod
runtimeClassName: gvisor`,
}

/** For a missing binary. */
export const BINARY: Remedies = {
  shell: 'npm install --include=optional uring',
  docker: `# in the image, not copied from another platform; with node_modules in .dockerignore
RUN npm ci --include=optional`,
}
