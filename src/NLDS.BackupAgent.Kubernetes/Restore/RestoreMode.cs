using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Restore;

/// <summary>What a restore may do to what is there already.</summary>
internal enum RestoreMode
{
    /// <summary>Nothing at all is done, and each object is tried by the server.</summary>
    Plan,

    /// <summary>What is missing is made; what is there is left as it is.</summary>
    Create,

    /// <summary>Server-side apply: fields of the backup are set, others stay.</summary>
    Merge,

    /// <summary>Each object becomes what it was, and nothing more.</summary>
    Replace,
}

internal static class RestoreOptionNames
{
    public const string Namespace = "namespace";
    public const string Mode = "mode";
    public const string ForceConflicts = "force-conflicts";
    public const string Only = "only";
    public const string Except = "except";

    /// <summary>Not for the command line: what is made is to be seen nowhere but in the namespace itself, which must be there.</summary>
    public const string Rehearsal = "rehearsal";

    public static RestoreMode ParseMode(string? word) => word switch
    {
        null or "create" => RestoreMode.Create,
        "plan" => RestoreMode.Plan,
        "merge" => RestoreMode.Merge,
        "replace" => RestoreMode.Replace,
        _ => throw new UsageException($"--{Mode} is '{word}'. Write plan, create, merge or replace."),
    };
}
