namespace NLDS.BackupAgent.Storage;

/// <summary>The section <c>Storage:Directory</c>.</summary>
public sealed class DirectoryOptions
{
    /// <summary>Where the objects are. No default: a backup that nobody chose a place for lies on the disk that it should outlive.</summary>
    public string? Path { get; set; }

    internal IEnumerable<string> Faults()
    {
        if (string.IsNullOrWhiteSpace(Path))
        {
            yield return "Storage:Directory:Path is not set. Set it to a directory on another disk than the databases', or set Storage:Provider to S3.";
        }
        else if (!System.IO.Path.IsPathRooted(Path))
        {
            yield return $"Storage:Directory:Path is '{Path}', which depends on where the agent is started. Set an absolute path.";
        }
    }
}
