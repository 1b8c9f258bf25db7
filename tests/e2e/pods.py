"""Pods on this machine, as a kubelet would start them from a manifest: the container's command, arguments, environment, user, folder and
volumes, as PID 1 of a namespace of its own. What such a pod may not do (write to its root file system, gain rights), this one may not.

There is no cluster here: who schedules and replaces pods is not tried this way."""

import base64
import json
import os
import re
import subprocess

from harness import SANITIZED

# In a mount namespace of our own. $1: a folder with the secret's files, $2: the group that may read them, $3: the user; then the program.
# The files of a Secret are root's, and with fsGroup its group may read them: mode 0440, whatever defaultMode says.
START = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/secret
if [ -n "$1" ]; then
    cp "$1"/* /mnt/secret/
    chown -R "root:$2" /mnt/secret
    chmod 0440 /mnt/secret/*
fi
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
for mount in $4; do
    path=${mount%%=*}
    mkdir -p "${path%/*}"
    touch "$path"
    mount --bind "/mnt/secret/${mount#*=}" "$path"
done
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -o remount,ro /etc
mount -o remount,bind,ro /
user=$3 group=$2 folder=$5
shift 5
cd "$folder"
exec unshare --pid --fork --mount-proc --kill-child setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs \\
    --bounding-set=-all --inh-caps=-all "$@"
"""


def unavailable():
    """Why there can be no pods here, in words; None: there can."""
    if SANITIZED == "thread":
        return "no PID 1 with the thread sanitizer: test_first_process.py"
    if os.geteuid() != 0:
        return "no pods can be started here: this is not root"
    try:
        done = subprocess.run(["unshare", "--mount", "sh", "-ec", START, "sh", "", "10001", "10001", "", "/tmp", "true"],
                              capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return "no pods can be started here: %s" % error
    return None if done.returncode == 0 else "no pods can be started here: " + done.stderr.strip()


def items(manifest, kind):
    return [item for item in json.loads(manifest)["items"] if item["kind"] == kind]


def secret_of(manifest):
    """What is in the Secret that its pods mount."""
    (secret,) = items(manifest, "Secret")
    _, spec = of_workload(manifest)
    (volume,) = [volume["secret"] for volume in spec["volumes"] if "secret" in volume]
    assert volume["secretName"] == secret["metadata"]["name"]
    return {key: base64.b64decode(data, validate=True) for key, data in secret["data"].items()}


def of_workload(manifest, number=0):
    """The name and the spec of one of the pods that the Job or Deployment in a manifest would have."""
    (workload,) = items(manifest, "Job") + items(manifest, "Deployment")
    return "%s-%d" % (workload["metadata"]["name"], number), workload["spec"]["template"]["spec"]


class Pod:
    """A pod that runs. `secret`: the bytes of each key of the Secret that it mounts. `program` is what was started."""

    def __init__(self, test, name, spec, secret):
        self.name = name
        self.spec = spec
        (self.container,) = self.spec["containers"]
        security = self.spec["securityContext"]
        assert security["runAsNonRoot"] and security["fsGroup"] == security["runAsGroup"]
        assert self.container["securityContext"]["readOnlyRootFilesystem"]
        mounts = self.mounts_of_secrets()
        self.program = test.start(
            ["unshare", "--mount", "sh", "-ec", START, "sh", self.write_secret(test, secret) if mounts else "",
             str(security["fsGroup"]), str(security["runAsUser"]), " ".join(mounts), self.container["workingDir"],
             *map(self.expand, self.container["command"] + self.container["args"])], env=self.environment())

    def mounts_of_secrets(self):
        """PATH=KEY of each key of a Secret that is mounted as a file."""
        volumes = {volume["name"] for volume in self.spec["volumes"] if "secret" in volume}
        return ["%s=%s" % (mount["mountPath"], mount["subPath"]) for mount in self.container["volumeMounts"] if mount["name"] in volumes]

    def write_secret(self, test, secret):
        folder = test.path("secret-of-" + self.name)
        os.mkdir(folder, 0o700)
        for key, data in secret.items():
            with open(os.path.join(folder, key), "wb") as file:
                file.write(data)
        return folder

    def environment(self):
        environment = {}
        for variable in self.container["env"]:
            if "value" in variable:
                environment[variable["name"]] = variable["value"]
            else:
                assert variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
                environment[variable["name"]] = self.name
        return environment

    def expand(self, word):
        """$(NAME) is a variable of the container, $$ is $."""
        return re.sub(r"\$\$|\$\(([A-Za-z_]+)\)",
                      lambda match: "$" if match.group(0) == "$$" else self.environment()[match.group(1)], word)
