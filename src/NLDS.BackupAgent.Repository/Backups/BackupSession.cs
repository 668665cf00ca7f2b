using System.Text.Json;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Backups;

/// <summary>
/// A backup that is being written. It comes into existence with <see cref="SealAsync"/>, which writes the manifest when every object is durable; disposed
/// before that, nothing exists and what was already put is removed as far as the store allows.
/// </summary>
public sealed class BackupSession : IAsyncDisposable
{
    /// <summary>Clean-up after a failure gets its own time: the caller's token is usually the one that has just been cancelled.</summary>
    private static readonly TimeSpan CleanUpTime = TimeSpan.FromSeconds(5);

    /// <summary>Of zstd and of gzip.</summary>
    private const int FastestLevel = 1;

    private readonly BackupRepository repository;
    private readonly SnapshotLayout layout;
    private readonly DateTimeOffset began;
    private readonly Guid session;
    private readonly WriterLease? writer;
    private readonly List<BackupObject> objects = [];
    private bool manifestMayExist;

    /// <summary>An object was put and nobody knows what became of it: it may lie there, or arrive yet.</summary>
    private bool objectMayExist;

    internal BackupSession(BackupRepository repository, SnapshotLayout layout, BackupId id, DateTimeOffset began, Guid session, WriterLease? writer)
    {
        this.repository = repository;
        this.layout = layout;
        this.began = began;
        this.session = session;
        this.writer = writer;
        Id = id;
    }

    public BackupId Id { get; }

    /// <summary>The backup that this one holds the changes since; null when it stands by itself.</summary>
    public BackupId? Parent { get; set; }

    /// <summary>With a <see cref="Parent"/>, what the content is once it is put together with that.</summary>
    public long? WholeBytes { get; set; }

    /// <summary>Begins an object of this backup, for example <c>base.tar</c>; the codec's suffix is added, and with a key <c>.enc</c>.</summary>
    public ContentWriter BeginObject(string name) => Begin(name, repository.Codec);

    /// <summary>Begins an object whose codec its name is known by, whatever the configuration says: <c>tar.gz</c>.</summary>
    public ContentWriter BeginObject(string name, Codec codec) => Begin(name, codec);

    /// <summary>Begins an object that is stored as it is; with a key encrypted, like every other.</summary>
    public ContentWriter BeginPlainObject(string name) => Begin(name, Codec.None);

    /// <summary>Seals an object's content and notes it for the manifest.</summary>
    public async Task SealObjectAsync(ContentWriter writer, CancellationToken cancellationToken)
    {
        objectMayExist = true;
        objects.Add(await writer.SealAsync(cancellationToken));
        objectMayExist = false;
    }

    /// <summary>Makes the backup exist, whole.</summary>
    public Task<SealedBackup> SealAsync(JsonElement details, CancellationToken cancellationToken) => SealAsync(details, [], cancellationToken);

    /// <summary>Makes the backup exist.</summary>
    /// <param name="omissions">What of the source is not in it, a sentence each: the backup is partial, visibly.</param>
    /// <exception cref="SourceException">A prune took this session for dead and removes what it has put.</exception>
    public async Task<SealedBackup> SealAsync(JsonElement details, IReadOnlyList<string> omissions, CancellationToken cancellationToken)
    {
        var manifest = new BackupManifest
        {
            Format = Parent is null ? 1 : BackupManifest.CurrentFormat,
            Source = layout.Source,
            Id = Id.ToString(),
            Parent = Parent?.ToString(),
            WholeBytes = WholeBytes,
            Began = began,
            Ended = repository.Clock.GetUtcNow(),
            Agent = BackupRepository.AgentVersion,
            Objects = [.. objects],
            Omissions = omissions.Count > 0 ? omissions : null,
            Details = details,
        };
        var key = layout.Manifest(Id);
        if (writer is not null)
        {
            await writer.RequireAsync(cancellationToken);
        }

        await RequireClaimAsync(cancellationToken);

        // From here on nothing is removed, whatever the store answers: a put that is reported as failed may still arrive, and a manifest whose objects
        // are gone would be worse than objects without a manifest.
        manifestMayExist = true;
        if (!await repository.Documents.PutAsync(key, manifest, BackupJson.Default.BackupManifest, Protection.Locked, cancellationToken))
        {
            throw new ObjectStoreException($"Another backup has the id {Id}: '{key}' exists. It was left as it is.", isPermanent: true);
        }

        // A sweep puts its tombstone and then looks for a manifest; here it is the other way round. One of the two sees the other, whatever the order.
        try
        {
            await RequireClaimAsync(cancellationToken);
        }
        catch (SourceException)
        {
            await repository.Store.DeleteAsync([key], cancellationToken);
            throw;
        }

        return new SealedBackup(Id, manifest);
    }

    public async ValueTask DisposeAsync()
    {
        if (manifestMayExist)
        {
            return;
        }

        using var limit = new CancellationTokenSource(CleanUpTime, repository.Clock);
        try
        {
            if (await HasClaimAsync(limit.Token))
            {
                // Without the claim the id would be free for another session, in whose way the object would lie. With it a later sweep finds both.
                IEnumerable<ObjectKey> claim = objectMayExist ? [] : [layout.Claim(Id)];
                await repository.Store.DeleteAsync([.. objects.Select(o => new ObjectKey(o.Key)), .. claim], limit.Token);
            }
        }
        catch (Exception failure) when (failure is ObjectStoreException or OperationCanceledException or NotRestorableException)
        {
            // The store is what failed, most likely, or it keeps what was sealed until its lock ends. Objects without a manifest are no backup, and a later sweep removes them.
        }
    }

    /// <summary>
    /// A prune sweeps what has not moved for long. When a clock was set, or this machine stood still, that may be this session: then its objects are gone or going.
    /// </summary>
    private async Task RequireClaimAsync(CancellationToken cancellationToken)
    {
        if (!await HasClaimAsync(cancellationToken) || await repository.Store.HeadAsync(layout.Tombstone(Id), cancellationToken) is not null)
        {
            throw new SourceException(
                $"A prune has taken backup {Id} of {layout.Source} for one that was left behind, and removes what there is of it in {repository.Description}: nothing of it had moved "
                + "for Retention:SweepAfter, or a clock is wrong. Nothing was sealed; compare the clocks of the agents and take another backup.",
                isPermanent: false);
        }
    }

    /// <summary>Does the id still belong to this session, and to no later one that found it free?</summary>
    private async Task<bool> HasClaimAsync(CancellationToken cancellationToken) =>
        await repository.Documents.FindAsync(layout.Claim(Id), BackupJson.Default.BackupClaim, cancellationToken) is { } claim && claim.Session == session;

    private ContentWriter Begin(string name, Codec codec) => new(
        repository.Store,
        name,
        layout.Key(Id, name + codec.Suffix() + (repository.IsEncrypted ? Codecs.EncryptedSuffix : "")),
        codec,

        // The configured level is one of the configured codec's: 19 is zstd's smallest, and no level of gzip at all.
        codec == repository.Codec ? repository.Options.CompressionLevel : FastestLevel,
        repository.CompressionWorkers,
        repository.Keys.Writing);
}
