using NLDS.BackupAgent.Postgres.Protocol;

namespace NLDS.BackupAgent.Postgres.Tests.Protocol;

/// <summary>A whole base backup in memory.</summary>
internal sealed class CollectedBackup
{
    private readonly List<(string Name, MemoryStream Content)> archives = [];

    private CollectedBackup(BaseBackupStream stream) => Stream = stream;

    public BaseBackupStream Stream { get; }

    public Dictionary<string, byte[]> Archives => archives.ToDictionary(archive => archive.Name, archive => archive.Content.ToArray());

    public List<string> Locations { get; } = [];

    public byte[] Manifest { get; private set; } = [];

    public long LastProgress { get; private set; }

    public BaseBackupEvent End { get; private set; }

    public static async Task<CollectedBackup> TakeAsync(
        ReplicationConnection connection, BaseBackupOptions options, CancellationToken cancellationToken)
    {
        var backup = new CollectedBackup(await connection.BaseBackupAsync(options, cancellationToken));
        var manifest = new MemoryStream();
        MemoryStream? current = null;
        while (true)
        {
            var next = await backup.Stream.ReadAsync(cancellationToken);
            switch (next.Kind)
            {
                case BaseBackupEventKind.ArchiveStart:
                    current = new MemoryStream();
                    backup.archives.Add((next.ArchiveName!, current));
                    backup.Locations.Add(next.Location!);
                    break;
                case BaseBackupEventKind.ManifestStart:
                    current = manifest;
                    break;
                case BaseBackupEventKind.Data:
                    current!.Write(next.Data.Span);
                    break;
                case BaseBackupEventKind.Progress:
                    backup.LastProgress = next.BytesDone;
                    break;
                case BaseBackupEventKind.End:
                    backup.End = next;
                    backup.Manifest = manifest.ToArray();
                    return backup;
            }
        }
    }
}
