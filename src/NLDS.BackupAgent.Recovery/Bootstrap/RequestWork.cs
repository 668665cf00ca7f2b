using System.Text.Json;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Repository.Targets;

namespace NLDS.BackupAgent.Recovery.Bootstrap;

/// <summary>How far a request has come on this disk.</summary>
internal enum RequestPhase
{
    /// <summary>The existing data are, or are about to be, moved aside.</summary>
    Moving,

    /// <summary>The restore writes, or is about to.</summary>
    Restoring,

    /// <summary>The restore is whole; the store does not know yet.</summary>
    Restored,
}

/// <summary>What stands in the file beside the data directory.</summary>
/// <param name="Aside">Where the data went; null when there were none.</param>
/// <param name="Words">What was restored.</param>
internal sealed record RequestProgress(string Request, RequestPhase Phase, string? Aside, string? Words = null);

/// <summary>
/// The file <c>DIRECTORY.nlds-request</c>, beside a data directory in which a request is being carried out. It is on the same disk as the data, so the two are lost together
/// or not at all.
/// </summary>
internal sealed class RequestWork(string directory)
{
    private const string Suffix = ".nlds-request";

    public string Path { get; } = directory + Suffix;

    /// <exception cref="SourceException">It is there and cannot be read.</exception>
    public RequestProgress? Read()
    {
        if (!File.Exists(Path))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(Path), RecoveryJson.Default.RequestProgress) ?? throw new JsonException("null");
        }
        catch (JsonException damage)
        {
            throw new SourceException(
                $"'{Path}' says how far a requested restore has come, and it cannot be read. Nothing was done. See what lies in '{directory}' and beside it, put the right "
                + "data there by hand, and remove the file.",
                isPermanent: true,
                damage);
        }
    }

    /// <summary>Whole or not at all, and durable.</summary>
    public void Write(RequestProgress progress)
    {
        var temporary = Path + ".new";
        using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            JsonSerializer.Serialize(file, progress, RecoveryJson.Default.RequestProgress);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, Path, overwrite: true);
        UnixFiles.FlushFileSystem(System.IO.Path.GetDirectoryName(Path)!);
    }

    public void Remove() => File.Delete(Path);
}
