using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;

namespace NLDS.BackupAgent.Kubernetes.Backup;

/// <summary>
/// The way into the repository. The beginning of an archive is held back, so that a namespace that turns out to be unchanged leaves no trace in the store; one that is
/// longer than that is begun in the store, and taken back when it was in vain.
/// </summary>
internal sealed class ArchiveStream(BackupRepository repository) : Stream
{
    public const string ObjectName = "tar";

    private const int HeldBytes = 8 << 20;

    private readonly MemoryStream held = new();
    private BackupSession? session;
    private ContentWriter? writer;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public long Written { get; private set; }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Written += buffer.Length;
        if (writer is null && held.Length + buffer.Length <= HeldBytes)
        {
            held.Write(buffer.Span);
            return;
        }

        await BeginAsync(cancellationToken);
        await writer!.WriteAsync(buffer, cancellationToken);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Makes the archive durable.</summary>
    /// <returns>The session that can now be sealed.</returns>
    public async Task<BackupSession> EndAsync(CancellationToken cancellationToken)
    {
        await BeginAsync(cancellationToken);
        await session!.SealObjectAsync(writer!, cancellationToken);
        return session;
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Flush()
    {
        // What was written is on its way; there is nothing to hurry.
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override async ValueTask DisposeAsync()
    {
        if (writer is not null)
        {
            await writer.DisposeAsync();
        }

        if (session is not null)
        {
            await session.DisposeAsync();
        }

        await base.DisposeAsync();
    }

    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        if (writer is not null)
        {
            return;
        }

        await repository.PrepareAsync(cancellationToken);
        session = await repository.BeginBackupAsync(KubernetesCatalog.Layout, cancellationToken);
        writer = session.BeginObject(ObjectName, Codec.Gzip);
        await writer.WriteAsync(held.GetBuffer().AsMemory(0, (int)held.Length), cancellationToken);
        held.SetLength(0);
        held.Capacity = 0;
    }
}
