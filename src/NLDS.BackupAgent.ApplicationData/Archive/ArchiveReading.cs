using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.ApplicationData.Archive;

/// <summary>Reads an archive from its first byte to its last; what is handed on was proved before.</summary>
internal static class ArchiveReading
{
    private const int BufferBytes = 128 << 10;

    /// <param name="meet">Gets a data set's file whole.</param>
    /// <exception cref="NotRestorableException">The archive is damaged, or is not what the backup's manifest says.</exception>
    public static async Task ReadAsync(
        BackupRepository repository, SealedBackup backup, ArchiveManifest manifest, Func<ArchivedSet, ArchivedFile, byte[], Task> meet, CancellationToken cancellationToken)
    {
        var arrived = new Queue<(ArchivedFile File, byte[] Bytes)>();
        var owners = manifest.DataSets.SelectMany(set => set.Files.Select(file => (file, set))).ToDictionary(pair => pair.file.Name, pair => pair.set);
        try
        {
            var scanner = new ArchiveScanner(manifest, (file, bytes) => arrived.Enqueue((file, bytes)));
            await using var source = repository.OpenRead(ArchiveDetails.ArchiveOf(backup), ContentProof.Stored);
            var buffer = new byte[BufferBytes];
            while (await source.ReadAsync(buffer, cancellationToken) is var count && count > 0)
            {
                scanner.Feed(buffer.AsSpan(0, count));
                while (arrived.TryDequeue(out var whole))
                {
                    await meet(owners[whole.File.Name], whole.File, whole.Bytes);
                }
            }

            scanner.Complete();
        }
        catch (InvalidDataException damage)
        {
            throw new NotRestorableException($"The archive '{ArchiveDetails.ArchiveOf(backup).Key}' is damaged: {damage.Message}.", damage);
        }
    }
}
