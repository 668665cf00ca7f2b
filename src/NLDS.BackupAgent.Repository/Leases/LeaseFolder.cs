using System.Globalization;
using NLDS.BackupAgent.Repository.Documents;
using NLDS.BackupAgent.Repository.Sources;
using NLDS.BackupAgent.Storage;

namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>The newest lease in the store.</summary>
/// <param name="Holder">Null when its document is damaged.</param>
/// <param name="Beat">Null before the first beat, and when it is damaged.</param>
internal sealed record FoundLease(ulong Epoch, LeaseDocument? Holder, LeaseBeat? Beat);

/// <summary>One source's leases as they lie in the store. It needs nothing of the store but that a put can refuse to replace.</summary>
internal sealed class LeaseFolder(IObjectStore store, string source)
{
    private const string Suffix = ".json";
    private const string BeatSuffix = ".beat.json";
    private const string Name = "/lease/";
    private const string RequestName = "request.json";
    private const string AnswerName = "answer.json";

    private readonly DocumentStore documents = new(store);
    private readonly string prefix = Prefix(source);
    private volatile bool sawRequest;

    public string Source => source;

    /// <summary>Where the leases of a source lie.</summary>
    public static string Prefix(string source) => source + Name;

    /// <summary>Is this a prefix of leases' keys?</summary>
    public static bool Holds(string prefix) => prefix.EndsWith(Name, StringComparison.Ordinal);

    /// <summary>What somebody who has not the lease asks of its holder.</summary>
    public static ObjectKey RequestKey(string source) => new(source + Name + RequestName);

    /// <summary>What the holder answered last.</summary>
    public static ObjectKey AnswerKey(string source) => new(source + Name + AnswerName);

    /// <summary>Whether the last listing showed a request: the holder lists at each beat, so waiting for one costs it nothing.</summary>
    public bool SawRequest => sawRequest;

    /// <summary>It is being answered; the next listing shows the next one.</summary>
    public void ForgetRequest() => sawRequest = false;

    public string StoreDescription => store.Description;

    /// <summary>False where the store lets an object be replaced whatever it is asked.</summary>
    public bool IsGuarded => store.RefusesReplacement != false;

    /// <summary>The epochs in the store, ascending. A holder removes those before its own, so there are few.</summary>
    public async Task<IReadOnlyList<ulong>> ListAsync(CancellationToken cancellationToken)
    {
        var epochs = new List<ulong>();
        var isAsked = false;
        await foreach (var entry in store.ListAsync(prefix, null, cancellationToken))
        {
            var name = entry.Key.Value[prefix.Length..];
            isAsked |= name == RequestName;
            if (name.Length == 16 + Suffix.Length && name.EndsWith(Suffix, StringComparison.Ordinal)
                && ulong.TryParse(name.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var epoch))
            {
                epochs.Add(epoch);
            }
        }

        sawRequest = isAsked;
        epochs.Sort();
        return epochs;
    }

    /// <summary>Null when nobody has ever held it.</summary>
    public async Task<FoundLease?> FindNewestAsync(CancellationToken cancellationToken)
    {
        // The one that was listed may be removed by its successor before it is read; each time round there is a newer one.
        const int successions = 10;
        for (var attempt = 0; attempt < successions; attempt++)
        {
            if (await ListAsync(cancellationToken) is not [.., var newest])
            {
                return null;
            }

            try
            {
                var holder = await IfSoundAsync(() => documents.ReadAsync(Key(newest), LeaseJson.Default.LeaseDocument, cancellationToken));
                var beat = await IfSoundAsync(() => documents.FindAsync(BeatKey(newest), LeaseJson.Default.LeaseBeat, cancellationToken));
                return new FoundLease(newest, holder, beat);
            }
            catch (ObjectNotFoundException)
            {
                // Succeeded, as said.
            }
        }

        throw new ObjectStoreException($"{StoreDescription} lists leases under '{prefix}' that it then says are absent.", isPermanent: false);
    }

    /// <summary>False when the epoch is taken.</summary>
    public Task<bool> PutAsync(LeaseDocument document, CancellationToken cancellationToken) =>
        documents.PutAsync(Key(document.Epoch), document, LeaseJson.Default.LeaseDocument, cancellationToken);

    /// <summary>Whether the document of an epoch is the one of this session.</summary>
    public async Task<bool> IsOwnAsync(LeaseDocument own, CancellationToken cancellationToken) =>
        await IfSoundAsync(() => documents.FindAsync(Key(own.Epoch), LeaseJson.Default.LeaseDocument, cancellationToken)) is { } found && found.Session == own.Session;

    public Task BeatAsync(ulong epoch, LeaseBeat beat, CancellationToken cancellationToken) =>
        documents.ReplaceAsync(BeatKey(epoch), beat, LeaseJson.Default.LeaseBeat, cancellationToken);

    /// <summary>Removes what earlier holders left.</summary>
    public Task RemoveBeforeAsync(ulong epoch, IEnumerable<ulong> known, CancellationToken cancellationToken)
    {
        List<ObjectKey> old = [.. known.Where(e => e < epoch).SelectMany(e => (ObjectKey[])[Key(e), BeatKey(e)])];
        return old.Count > 0 ? store.DeleteAsync(old, cancellationToken) : Task.CompletedTask;
    }

    private ObjectKey Key(ulong epoch) => new($"{prefix}{epoch:x16}{Suffix}");

    private ObjectKey BeatKey(ulong epoch) => new($"{prefix}{epoch:x16}{BeatSuffix}");

    /// <summary>A damaged document says nothing of its holder; that its beat changes can still be seen by whoever writes it anew.</summary>
    private static async Task<T?> IfSoundAsync<T>(Func<Task<T?>> read)
        where T : class
    {
        try
        {
            return await read();
        }
        catch (NotRestorableException)
        {
            return null;
        }
    }
}
