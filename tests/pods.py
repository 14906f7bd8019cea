"""The restricted pod security standard of Kubernetes, for the pods in deploy/kubernetes."""

from typing import Any

VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}


def assert_restricted(pod: dict[str, Any]) -> None:
    """Fail unless this pod of one container keeps the standard and has no access to Kubernetes itself."""
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert {kind for volume in pod.get("volumes", []) for kind in volume.keys() - {"name"}} <= VOLUMES
    assert (pod["enableServiceLinks"], pod["automountServiceAccountToken"]) == (False, False)
