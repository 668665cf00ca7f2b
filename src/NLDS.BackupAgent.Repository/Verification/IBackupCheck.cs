using NLDS.BackupAgent.Repository.Backups;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>What a source knows of one backup's content beyond the hashes of its objects, made anew for each backup that is read.</summary>
public interface IBackupCheck : IDisposable
{
    /// <summary>Begins to look at an object's content. Two objects may be under way at once.</summary>
    IContentCheck Begin(BackupObject content);

    /// <summary>After all objects were read and each is sound in itself: what does not fit between them, or null.</summary>
    string? FindContradiction();
}

/// <summary>Looks at one object's content as it passes by.</summary>
public interface IContentCheck
{
    /// <exception cref="InvalidDataException">The content is not what such an object holds.</exception>
    void Feed(ReadOnlySpan<byte> bytes);

    /// <summary>There is no more.</summary>
    /// <exception cref="InvalidDataException">It ended too early, or contradicts itself.</exception>
    void Complete();
}
