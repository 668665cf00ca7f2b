using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace NLDS.BackupAgent.ApplicationData.Archive;

/// <summary>The shape of a data set's files: what stands before the entries, given their number, and what behind.</summary>
internal sealed record DocumentShape(Func<long, string> Head, string Tail);

/// <summary>
/// Writes a data set as one JSON document, or, when that would outgrow memory, as several of the same shape: <c>user_sessions.json</c>, <c>user_sessions.2.json</c>, …
/// Two buffers are all that is held: while one fills, the other is hashed, compressed and stored.
/// </summary>
internal sealed class DocumentWriter(ArchiveWriter archive, string name, DocumentShape shape) : IAsyncDisposable
{
    /// <summary>Most data sets fit into one file. Two buffers of 8 MiB are a small part of the 120 MiB that the agent may use; the last entry may go a little beyond.</summary>
    public const int PartBytes = (8 << 20) - (256 << 10);

    /// <summary>A file is in memory as a whole when it is read back, so one entry must not be larger than this.</summary>
    public const int LargestEntryBytes = 64 << 20;

    /// <summary>What a reader must be ready for.</summary>
    public const int LargestFileBytes = PartBytes + LargestEntryBytes + (1 << 20);

    private const int FirstBytes = 64 << 10;

    private readonly List<ArchivedFile> files = [];
    private ArrayBufferWriter<byte> filling = new(FirstBytes);
    private ArrayBufferWriter<byte> storing = new(FirstBytes);
    private Task stored = Task.CompletedTask;
    private int entryStart;
    private long count;
    private int parts;

    public long Total { get; private set; }

    /// <summary>What was handed to the archive, for a data set that fails halfway.</summary>
    public IReadOnlyList<ArchivedFile> Files => files;

    /// <summary>Where the caller writes one entry, between <see cref="BeginEntry"/> and <see cref="EndEntryAsync"/>.</summary>
    public IBufferWriter<byte> Target => filling;

    public void BeginEntry()
    {
        filling.Write(count == 0 ? "\n    "u8 : ",\n    "u8);
        entryStart = filling.WrittenCount;
    }

    /// <exception cref="InvalidDataException">The entry is larger than a restore could take.</exception>
    public ValueTask EndEntryAsync(CancellationToken cancellationToken)
    {
        count++;
        Total++;
        if (filling.WrittenCount - entryStart > LargestEntryBytes)
        {
            throw new InvalidDataException($"entry {Total} has {(filling.WrittenCount - entryStart) >> 20} MiB; one may have {LargestEntryBytes >> 20}");
        }

        return filling.WrittenCount >= PartBytes ? new ValueTask(EndPartAsync(cancellationToken)) : ValueTask.CompletedTask;
    }

    /// <summary>Everything is in the archive when this returns.</summary>
    public async Task<IReadOnlyList<ArchivedFile>> CompleteAsync(CancellationToken cancellationToken)
    {
        if (count > 0 || parts == 0)
        {
            await EndPartAsync(cancellationToken);
        }

        await stored;
        return files;
    }

    /// <summary>Waits for what is under way, so that nobody writes to the archive behind the next one's back.</summary>
    public async ValueTask DisposeAsync() => await stored.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task EndPartAsync(CancellationToken cancellationToken)
    {
        await stored;
        (filling, storing) = (storing, filling);
        filling.ResetWrittenCount();
        var (body, entries, file) = (storing.WrittenMemory, count, Numbered(++parts));
        count = 0;
        if (!Utf8.IsValid(body.Span))
        {
            // A database of encoding SQL_ASCII hands out whatever was put into it.
            throw new InvalidDataException("it has text that is not UTF-8, as a database with the encoding SQL_ASCII may. Convert the column in the query, for example with encode(…, 'escape')");
        }

        stored = Task.Run(
            async () => files.Add(await archive.AddAsync(
                file, entries, [Encoding.UTF8.GetBytes(shape.Head(entries)), body, Encoding.UTF8.GetBytes("\n" + shape.Tail)], cancellationToken)),
            CancellationToken.None);
    }

    private string Numbered(int part) => part == 1 ? $"{name}.json" : string.Create(CultureInfo.InvariantCulture, $"{name}.{part}.json");
}
