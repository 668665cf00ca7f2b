using NLDS.BackupAgent.Kubernetes.Api;

namespace NLDS.BackupAgent.Kubernetes.Restore;

/// <summary>What a server refused, with what to do about it.</summary>
internal static class Refusals
{
    public static string Explain(ApiException refused) => refused switch
    {
        { IsFieldConflict: true } =>
            $"{string.Join("; ", refused.Causes.Select(c => $"the field {c.Field}: {c.Message}"))}. Another owner has set it since; --{RestoreOptionNames.ForceConflicts} takes it back.",
        { IsTerminating: true } => $"{refused.Message}. Wait until it is gone, or restore into another namespace (--{RestoreOptionNames.Namespace}).",
        { IsQuota: true } => $"{refused.Message}. Raise the quota and restore again.",
        { IsImmutable: true } => $"{OneLine(refused.Message)}. Use --{RestoreOptionNames.Mode} replace; a claim, a volume or a definition must be deleted by hand, with what it holds.",
        { IsForbidden: true } when refused.Message.Contains("permissions not currently held", StringComparison.Ordinal) =>
            $"{OneLine(refused.Message)}: who restores roles must hold what they give, or the verbs bind and escalate (k8s/base/rbac-restore.yaml).",
        { Code: 403 } when refused.Message.Contains(" cannot ", StringComparison.Ordinal) => $"{refused.Message}. Give the account that right (k8s/base/rbac-restore.yaml).",
        { Code: 404 } => $"{refused.Message}. The cluster has no such kind or namespace; install what defines it and restore again.",
        { Code: 422 } => $"{OneLine(refused.Message)}. The cluster does not take the object as it was; edit it from the archive and apply it by hand.",
        _ => $"{OneLine(refused.Message)} ({refused.Code}).",
    };

    private static string OneLine(string message)
    {
        var line = message.Split('\n')[0].Trim();
        return line.Length > 600 ? line[..600] + "…" : line;
    }
}
