using System.Reflection;
using System.Text.Json.Serialization.Metadata;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Content;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Encryption;
using NLDS.BackupAgent.Repository.Leases;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository;

/// <summary>
/// What a store of bytes becomes when it keeps backups: sealed snapshots, one log per continuous source, and the identity of what they came from.
/// The format and its invariants are in this project's README.
/// </summary>
public sealed class BackupRepository
{
    internal static readonly ObjectKey DocumentKey = new("repository.json");

    /// <summary>Between the listing and the claim only another process takes ids, one at a time.</summary>
    private const int MaximumClaims = 60;

    /// <summary>A clock that was ahead by more than this is not followed: all ids would lie on one day of another year, and retention would thin them out by it.</summary>
    private static readonly TimeSpan Followed = TimeSpan.FromDays(1);

    internal static string AgentVersion { get; } =
        typeof(BackupRepository).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private readonly EncryptionStart encryption;

    public BackupRepository(IObjectStore store, RepositoryOptions options, TimeProvider clock)
    {
        (Store, Options, Clock, Codec, Keys) = (store, options, clock, options.Codec, options.Encryption.Keyring());
        Documents = new DocumentStore(store, Keys);
        Catalog = new BackupCatalog(Documents);
        encryption = new EncryptionStart(store, Keys, Documents, clock);
    }

    internal IObjectStore Store { get; }

    internal DocumentStore Documents { get; }

    internal BackupCatalog Catalog { get; }

    internal RepositoryOptions Options { get; }

    internal TimeProvider Clock { get; }

    internal Codec Codec { get; }

    internal Keyring Keys { get; }

    /// <summary>What is written here from now on can be read by nobody who has not the key. What was written before may be readable.</summary>
    public bool IsEncrypted => Keys.Writing is not null;

    /// <summary>zstd's own threads beside the one that receives.</summary>
    internal int CompressionWorkers { get; } = Math.Clamp(Environment.ProcessorCount, 1, 2);

    /// <summary>Where this is, for messages.</summary>
    public string Description => Store.Description;

    /// <summary>
    /// Makes sure that the store holds a repository of a format that this version writes, whose key is configured; creates one in an empty place, if it may.
    /// </summary>
    /// <exception cref="SourceException">It was written with a key that is not configured; or there is none, and none may be created.</exception>
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await Store.RequireProtectionAsync(cancellationToken);
        if (!Options.Create && await Store.HeadAsync(DocumentKey, cancellationToken) is null)
        {
            throw new SourceException(
                $"There is no repository in {Description}, and none is created: Repository:Create is false. Is its volume mounted, are bucket and prefix right? "
                + "Set Repository:Create to true if a new one is to begin there.",
                isPermanent: false);
        }

        await encryption.EnsureAsync(cancellationToken);
        var fresh = new RepositoryDocument(RepositoryDocument.CurrentFormat, Guid.NewGuid(), Clock.GetUtcNow());
        await Documents.PutAsync(DocumentKey, fresh, BackupJson.Default.RepositoryDocument, Protection.Locked, cancellationToken);
        await RequireAsync(cancellationToken);
    }

    /// <summary>Makes sure that there is a repository here which this version reads; changes nothing.</summary>
    /// <exception cref="NotRestorableException">The store said that there is none, or its document is damaged or of a newer format.</exception>
    public async Task RequireAsync(CancellationToken cancellationToken)
    {
        try
        {
            var document = await Documents.ReadAsync(DocumentKey, BackupJson.Default.RepositoryDocument, cancellationToken);
            if (document.Format > RepositoryDocument.CurrentFormat)
            {
                throw new NotRestorableException(
                    $"The repository in {Description} has format {document.Format}; this version reads up to {RepositoryDocument.CurrentFormat}. Use a newer version.");
            }
        }
        catch (ObjectNotFoundException)
        {
            throw new NotRestorableException(
                $"There is no repository in {Description}: '{DocumentKey}' is missing. Check Storage (bucket, prefix, path); a first 'run' or 'backup' creates it.");
        }
    }

    /// <summary>Makes sure that what is encrypted here can be read with the keys that are configured: one sentence instead of one for each object.</summary>
    /// <exception cref="NotRestorableException">It was written with keys of which none is configured, or what tells of the keys is missing.</exception>
    public async Task RequireKeysAsync(CancellationToken cancellationToken)
    {
        var register = new KeyRegister(Store, Keys);
        if (await register.FindStrangenessAsync(cancellationToken) is { } strange)
        {
            throw new NotRestorableException(strange);
        }

        if (Keys.Writing is { } key && (await register.ListAsync(cancellationToken)).Count == 0)
        {
            throw new NotRestorableException(
                $"'{KeyDocument.Name(key.Id)}' is missing from {Description}: it was taken away, or nothing was ever written with the key that is configured. "
                + "To read what is not encrypted, leave out Repository:Encryption.");
        }
    }

    /// <summary>The log of a continuous source.</summary>
    /// <param name="writer">The lease of the source, for whoever writes: without it nothing is changed. Null to read.</param>
    public LogArchive OpenLog(string folder, ILogNaming naming, WriterLease? writer = null)
    {
        var store = writer?.Fence(Store) ?? Store;
        return new LogArchive(store, folder, naming, Codec, Options.CompressionLevel, writer is null ? Documents : new DocumentStore(store, Keys));
    }

    /// <summary>Begins a backup under an id of its own.</summary>
    public Task<BackupSession> BeginBackupAsync(SnapshotLayout layout, CancellationToken cancellationToken) => BeginBackupAsync(layout, null, cancellationToken);

    /// <param name="writer">The lease that must still be this process's when the backup is sealed; null for one that is taken beside the agent that holds it.</param>
    public async Task<BackupSession> BeginBackupAsync(SnapshotLayout layout, WriterLease? writer, CancellationToken cancellationToken)
    {
        await encryption.EnsureAsync(cancellationToken);
        var (began, session) = (Clock.GetUtcNow(), Guid.NewGuid());
        var id = await FindNextIdAsync(layout, began, cancellationToken);
        for (var attempt = 0; attempt < MaximumClaims; attempt++, id = id.Next())
        {
            var claim = new BackupClaim(layout.Source, id.ToString(), began, AgentVersion, session);
            if (await Documents.PutAsync(layout.Claim(id), claim, BackupJson.Default.BackupClaim, cancellationToken))
            {
                return new BackupSession(this, layout, id, began, session, writer);
            }
        }

        throw new ObjectStoreException(
            $"The last {MaximumClaims} ids before {id} are all taken in {Description}, though its listing does not show them.", isPermanent: false);
    }

    /// <summary>All sealed backups of a source, oldest first, and those whose manifest is damaged.</summary>
    public async Task<BackupListing<SealedBackup>> ListBackupsAsync(SnapshotLayout layout, CancellationToken cancellationToken) =>
        await Catalog.ListAsync(layout, await BackupFiles.ListAsync(Store, layout, cancellationToken), anew: false, cancellationToken);

    /// <summary>
    /// Writes down that a new backup would hold what <paramref name="backup"/> holds, so that a source at rest costs no new objects and is seen to be protected.
    /// </summary>
    /// <returns>The backup, current as of now.</returns>
    public async Task<SealedBackup> RecordUnchangedAsync(SnapshotLayout layout, SealedBackup backup, CancellationToken cancellationToken)
    {
        var now = Clock.GetUtcNow();
        await Documents.ReplaceAsync(
            layout.Unchanged(backup.Id), new UnchangedSince(layout.Source, backup.Id.ToString(), now), BackupJson.Default.UnchangedSince, cancellationToken);
        return backup with { UnchangedAt = now };
    }

    /// <summary>Whether a backup's manifest is there now: what was listed may have been removed since.</summary>
    public async Task<bool> ExistsAsync(SnapshotLayout layout, BackupId id, CancellationToken cancellationToken) =>
        await Store.HeadAsync(layout.Manifest(id), cancellationToken) is not null;

    /// <summary>The content of one object of a backup, proved against its manifest while it is read; the last read throws when it is not what it should be.</summary>
    public Stream OpenRead(BackupObject content, ContentProof proof) => new ContentReader(Store, content, proof, Store.ParallelDownloads, Keys);

    /// <summary>Makes sure that an object is there in its full length and that its key is configured, without reading it.</summary>
    /// <exception cref="NotRestorableException">It or its key is missing, or it is of another size.</exception>
    public async Task RequireObjectAsync(BackupObject content, CancellationToken cancellationToken)
    {
        if (content.KeyId is { } keyId)
        {
            Keys.Require(keyId, content.Key);
        }

        var info = await Store.HeadAsync(new ObjectKey(content.Key), cancellationToken)
            ?? throw new NotRestorableException($"The object '{content.Key}' is missing from {Description}.");
        if (info.Bytes != content.StoredBytes)
        {
            throw new NotRestorableException(
                $"The object '{content.Key}' in {Description} has {info.Bytes} bytes instead of {content.StoredBytes}.");
        }
    }

    /// <summary>Whether anything was ever stored here under a prefix; the lease of an agent that has stored nothing yet does not count.</summary>
    public async Task<bool> HoldsAnyUnderAsync(string prefix, CancellationToken cancellationToken)
    {
        await foreach (var entry in Store.ListAsync(prefix, null, cancellationToken))
        {
            if (!LeaseFolder.Holds(entry.Key.Value[..(entry.Key.Value.LastIndexOf('/') + 1)]))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What the repository knows of who a source is; null when nothing was ever bound.</summary>
    public Task<T?> ReadIdentityAsync<T>(string source, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class => Documents.FindAsync(IdentityKey(source), type, cancellationToken);

    /// <summary>Binds the repository to a source's identity, once and for ever.</summary>
    /// <returns>The identity that it is bound to: the given one, or the one that was there first.</returns>
    public async Task<T> BindIdentityAsync<T>(string source, T identity, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        await PrepareAsync(cancellationToken);
        return await Documents.PutAsync(IdentityKey(source), identity, type, Protection.Locked, cancellationToken)
            ? identity
            : await Documents.ReadAsync(IdentityKey(source), type, cancellationToken);
    }

    /// <summary>Records for ever that a copy of a source took the original's place here. Recording the same again changes nothing.</summary>
    /// <param name="id">Names the copy; part of the key.</param>
    public async Task RecordAdoptionAsync<T>(string source, string id, T adoption, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        await Documents.PutAsync(new ObjectKey($"{AdoptionPrefix(source)}{id}.json"), adoption, type, Protection.Locked, cancellationToken);

    /// <summary>All adoptions of a source.</summary>
    /// <exception cref="NotRestorableException">One is damaged: it is not known who may write.</exception>
    public async Task<IReadOnlyList<T>> ListAdoptionsAsync<T>(string source, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        var found = new List<T>();
        await foreach (var entry in Store.ListAsync(AdoptionPrefix(source), null, cancellationToken))
        {
            found.Add(await Documents.ReadAsync(entry.Key, type, cancellationToken));
        }

        return found;
    }

    /// <summary>
    /// Records that a copy of a source was made to take the original's place here, if nobody writes in between: the document says what the archive held.
    /// </summary>
    /// <param name="id">Names the copy; part of the key.</param>
    public async Task RecordSuccessionAsync<T>(string source, string id, T succession, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        await Documents.PutAsync(SuccessionKey(source, id), succession, type, cancellationToken);

    /// <summary>What was recorded of a copy; null when the store said that nothing was.</summary>
    /// <exception cref="NotRestorableException">It is damaged, or no holder of the key wrote it.</exception>
    public Task<T?> FindSuccessionAsync<T>(string source, string id, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class => Documents.FindAsync(SuccessionKey(source, id), type, cancellationToken);

    /// <summary>
    /// Whether anything of a source is or was ever stored here. A lease does not count: an agent takes it before it has anything to store.
    /// </summary>
    /// <exception cref="ObjectStoreException">The store could not be asked: nothing is known.</exception>
    public async Task<bool> HoldsAnythingOfAsync(string source, CancellationToken cancellationToken)
    {
        await foreach (var entry in Store.ListAsync($"{source}/", null, cancellationToken))
        {
            if (!entry.Key.Value.StartsWith(LeaseFolder.Prefix(source), StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A folder for the documents of a floor above.</summary>
    /// <param name="path">From the repository's root, without a slash at its end: <c>recovery/requests/postgres</c>.</param>
    public DocumentFolder OpenFolder(string path) => new(this, path);

    /// <summary>
    /// This second, or the one behind the last id that is taken: whoever looks for the newest backup looks for the last id, also where the clock of an earlier one was ahead.
    /// </summary>
    private async Task<BackupId> FindNextIdAsync(SnapshotLayout layout, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var next = BackupId.At(now);
        await foreach (var entry in Store.ListAsync(layout.Prefix, new ObjectKey($"{layout.Prefix}{next}"), cancellationToken))
        {
            if (layout.TryParse(entry.Key, out var taken, out _) && taken >= next && taken.Began - now <= Followed)
            {
                next = taken.Next();
            }
        }

        return next;
    }

    private static ObjectKey SuccessionKey(string source, string id) => new($"{source}/succession/{id}.json");

    private static string AdoptionPrefix(string source) => $"{source}/adopted/";

    private static ObjectKey IdentityKey(string source) => new($"{source}/identity.json");
}
