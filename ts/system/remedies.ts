// What mends it, ready to be pasted, for each of the places where programs run.

/** Commands and settings that mend what keeps rings from being made: for each place that has a way. */
export interface Remedies {
  /** Commands for a shell, on this machine. */
  readonly shell?: string
  /** Lines for a unit, or for a drop-in under `/etc/systemd/system/UNIT.service.d/`. */
  readonly systemd?: string
  /** Commands and options for Docker. */
  readonly docker?: string
  /** A part of a pod's specification, and what has to be done on the node. */
  readonly kubernetes?: string
}

const CALLS = ['io_uring_setup', 'io_uring_enter', 'io_uring_register'] as const

const PROFILE = `curl -fsSL https://raw.githubusercontent.com/moby/profiles/main/seccomp/default.json \\
  | jq '.syscalls += [{"names": [${CALLS.map((name) => `"${name}"`).join(', ')}], "action": "SCMP_ACT_ALLOW"}]' \\
  > io-uring.json`

/** `kernel.io_uring_disabled` is set. */
export const SYSCTL: Remedies = {
  shell: `sudo sysctl -w kernel.io_uring_disabled=0
# and for the next start of the machine:
echo 'kernel.io_uring_disabled = 0' | sudo tee /etc/sysctl.d/99-io-uring.conf`,
  systemd: `# /etc/sysctl.d/99-io-uring.conf, and then: systemctl restart systemd-sysctl
kernel.io_uring_disabled = 0`,
  docker: `# On the host: it is one setting for all containers, and docker run --sysctl does not take it.
sudo sysctl -w kernel.io_uring_disabled=0`,
  kubernetes: `# On the node: it is one setting for all pods, and securityContext.sysctls does not take it.
kubectl debug node/NODE -it --image=busybox --profile=sysadmin -- sysctl -w kernel.io_uring_disabled=0`,
}

/** It is set so that a group may use rings, and this process is not in it. */
export const SYSCTL_GROUP: Remedies = {
  ...SYSCTL,
  shell: `sudo sysctl -w kernel.io_uring_disabled=0
# or, for the members of a group only:
sudo groupadd --force io_uring && sudo usermod --append --groups io_uring USER
sudo sysctl -w kernel.io_uring_group="$(getent group io_uring | cut -d: -f3)"
# and for the next start of the machine: the same settings in /etc/sysctl.d/99-io-uring.conf`,
  systemd: `# with the group of sysctl kernel.io_uring_group:
[Service]
SupplementaryGroups=io_uring`,
}

/** What to do about a seccomp filter, in words. */
export const SECCOMP_ADVICE: string = `Run the container with a profile that allows ${CALLS[0]}, ${CALLS[1]} and ${CALLS[2]} (docker run --security-opt seccomp=PROFILE.json)`

/** A seccomp filter is at work. */
export const SECCOMP: Remedies = {
  systemd: `# for a unit that has a SystemCallFilter= already:
[Service]
SystemCallFilter=${CALLS.join(' ')}`,
  docker: `# Docker's own profile, and the three system calls of io_uring:
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

/** A security module forbids it. */
export const LSM: Remedies = {
  shell: `# SELinux: see what was refused, and allow it
sudo ausearch -m avc -ts recent | grep io_uring
sudo ausearch -m avc -ts recent | audit2allow -M node-io-uring && sudo semodule -i node-io-uring.pp`,
}

/** The limit of locked memory is too low. */
export const MEMLOCK: Remedies = {
  shell: `# this shell and what it starts, 64 MiB:
sudo prlimit --pid $$ --memlock=67108864:67108864
# and for every login of a user, in KiB:
echo "$USER - memlock 65536" | sudo tee /etc/security/limits.d/99-memlock.conf`,
  systemd: `[Service]
LimitMEMLOCK=64M`,
  docker: 'docker run --ulimit memlock=67108864:67108864 IMAGE',
  kubernetes: `# A pod cannot say it: it has what the container runtime of its node has. On each node, for containerd, as
# /etc/systemd/system/containerd.service.d/memlock.conf, and then: systemctl daemon-reload && systemctl restart containerd
[Service]
LimitMEMLOCK=64M
# Or, in a pod that runs as root, no limit at all:
securityContext:
  capabilities:
    add: ["IPC_LOCK"]`,
}

/** There is no more memory. */
export const MEMORY: Remedies = {
  shell: 'free -m',
  systemd: `[Service]
MemoryMax=1G`,
  docker: 'docker run --memory 1g IMAGE',
  kubernetes: `resources:
  limits:
    memory: 1Gi`,
}

/** Too many files are open. */
export const FILES: Remedies = {
  shell: 'ulimit -n "$(ulimit -Hn)"',
  systemd: `[Service]
LimitNOFILE=65536`,
  docker: 'docker run --ulimit nofile=65536:65536 IMAGE',
  kubernetes: `# A pod cannot say it: it has what the container runtime of its node has. On each node, for containerd, as
# /etc/systemd/system/containerd.service.d/files.conf, and then: systemctl daemon-reload && systemctl restart containerd
[Service]
LimitNOFILE=65536`,
}

/** The kernel has none. */
export const KERNEL: Remedies = {
  shell: `uname -r # 5.6 or later, and built with CONFIG_IO_URING=y:
grep CONFIG_IO_URING "/boot/config-$(uname -r)" || zgrep CONFIG_IO_URING /proc/config.gz`,
  docker: '# another kernel than that of a sandbox (gVisor, say):\ndocker run --runtime runc IMAGE',
  kubernetes: `# another kernel than that of a sandbox (gVisor, say): take this out of the pod
runtimeClassName: gvisor`,
}

/** The package has no binary here. */
export const BINARY: Remedies = {
  shell: 'npm install --include=optional uring',
  docker: `# in the image, and not copied from another platform; with node_modules in .dockerignore
RUN npm ci --include=optional`,
}
