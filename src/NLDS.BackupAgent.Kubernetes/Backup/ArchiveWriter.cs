using System.Buffers;
using System.Formats.Tar;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NLDS.BackupAgent.Kubernetes.Api;
using NLDS.BackupAgent.Kubernetes.Objects;

namespace NLDS.BackupAgent.Kubernetes.Backup;

/// <summary>
/// Writes the archive: each object as it was read (<c>raw/</c>) and as <c>kubectl apply</c> takes it (<c>objects/</c>), then the strategy's files, which are the same again
/// by subject, and the index. What is held in memory is bounded, whatever the namespace holds.
/// </summary>
internal sealed class ArchiveWriter(Stream target, string ns, DateTimeOffset at) : IAsyncDisposable
{
    public const string IndexName = "index.json";

    /// <summary>A file by subject that grows past this is continued in a second one: <c>nlds-resources-2.yaml</c>.</summary>
    private const int SubjectBytes = 6 << 20;

    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly JsonWriterOptions Readable = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly TarWriter tar = new(target, TarEntryFormat.Gnu, leaveOpen: true);
    private readonly SemaphoreSlim gate = new(1);
    private readonly Transform byHand = new(ns, ns, KeepsVolumes: true);
    private readonly Dictionary<string, (List<(int Place, string Path, byte[] Text)> Parts, int Bytes, int Number)> subjects = [];
    private readonly Dictionary<string, string> files = [];
    private readonly List<IndexedObject> objects = [];

    public int Count => objects.Count;

    public IReadOnlyDictionary<string, int> CountByKind => objects.GroupBy(o => o.Kind).OrderBy(k => k.Key, StringComparer.Ordinal).ToDictionary(k => k.Key, k => k.Count());

    /// <summary>Adds an object, from any thread.</summary>
    /// <param name="value">As it was listed: kind and version may be missing, and are put in.</param>
    public async ValueTask AddAsync(ApiResource resource, JsonElement value, CancellationToken cancellationToken)
    {
        var raw = Raw(resource, value);
        var whole = JsonNode.Parse(raw.WrittenSpan)!.AsObject();
        var name = whole.Name();
        var folder = $"{(resource.IsNamespaced ? "" : "cluster/")}{resource.Name}";
        var sha256 = Convert.ToHexStringLower(SHA256.HashData(raw.WrittenSpan));
        var entry = new IndexedObject($"raw/{folder}/{name}.json", resource.Name, name, sha256, Canonical.Digest(value));

        // What would run again when it is applied is kept as it was, and not offered to be applied.
        var yaml = Kinds.IsFinishedJob(resource.Name, whole) ? null : YamlText.Document(byHand.Apply(resource, whole));
        await gate.WaitAsync(cancellationToken);
        try
        {
            objects.Add(entry);
            await WriteAsync(entry.Path, raw.WrittenMemory, cancellationToken);
            if (yaml is not null)
            {
                await WriteFileAsync($"objects/{folder}/{name}.yaml", yaml, cancellationToken);
                await AddToSubjectAsync(resource, $"{folder}/{name}", yaml, cancellationToken);
            }
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Writes what is left, the index last.</summary>
    public async Task CompleteAsync(BackupIndex index, CancellationToken cancellationToken)
    {
        foreach (var subject in subjects.Keys.Order(StringComparer.Ordinal).ToList())
        {
            await WriteSubjectAsync(subject, cancellationToken);
        }

        var document = JsonSerializer.SerializeToUtf8Bytes(index with { Objects = Sorted(), Files = files }, BackupJson.Default.BackupIndex);
        await WriteAsync(IndexName, document, cancellationToken);
        await tar.DisposeAsync();
    }

    /// <summary>Of what all objects say, in an order that does not depend on when each was read.</summary>
    /// <param name="beside">What makes a backup another one although its objects are the same: what is missing, whether it is encrypted.</param>
    public string Digest(IEnumerable<string> beside)
    {
        var all = new StringBuilder();
        foreach (var one in Sorted())
        {
            all.Append(one.Path).Append('\0').Append(one.Digest).Append('\n');
        }

        all.AppendJoin('\n', beside);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all.ToString())));
    }

    public async ValueTask DisposeAsync()
    {
        gate.Dispose();
        await ValueTask.CompletedTask;
    }

    private List<IndexedObject> Sorted() => [.. objects.OrderBy(o => o.Path, StringComparer.Ordinal)];

    private static ArrayBufferWriter<byte> Raw(ApiResource resource, JsonElement value)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using var writer = new Utf8JsonWriter(buffer, Readable);
        writer.WriteStartObject();
        writer.WriteString("apiVersion", resource.GroupVersion);
        writer.WriteString("kind", resource.Kind);
        foreach (var field in value.EnumerateObject().Where(f => f.Name is not ("apiVersion" or "kind")))
        {
            field.WriteTo(writer);
        }

        writer.WriteEndObject();
        writer.Flush();
        return buffer;
    }

    private async ValueTask AddToSubjectAsync(ApiResource resource, string path, byte[] yaml, CancellationToken cancellationToken)
    {
        var name = Kinds.FileOf(resource.Name);
        var (parts, bytes, number) = subjects.TryGetValue(name, out var begun) ? begun : ([], 0, 1);
        parts.Add((Kinds.PlaceOf(resource.Name), path, yaml));
        subjects[name] = (parts, bytes + yaml.Length, number);
        if (bytes + yaml.Length > SubjectBytes)
        {
            await WriteSubjectAsync(name, cancellationToken);
        }
    }

    private async ValueTask WriteSubjectAsync(string name, CancellationToken cancellationToken)
    {
        var (parts, _, number) = subjects[name];
        if (parts.Count == 0)
        {
            return;
        }

        var text = new MemoryStream();
        foreach (var (_, _, yaml) in parts.OrderBy(p => p.Place).ThenBy(p => p.Path, StringComparer.Ordinal))
        {
            text.Write("---\n"u8);
            text.Write(yaml);
        }

        var file = number == 1 ? name : $"{Path.GetFileNameWithoutExtension(name)}-{number.ToString(CultureInfo.InvariantCulture)}.yaml";
        await WriteFileAsync(file, text.GetBuffer().AsMemory(0, (int)text.Length), cancellationToken);
        subjects[name] = ([], 0, number + 1);
    }

    private async ValueTask WriteFileAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        files[path] = Convert.ToHexStringLower(SHA256.HashData(content.Span));
        await WriteAsync(path, content, cancellationToken);
    }

    private async ValueTask WriteAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        using var data = new MemoryStream(content.ToArray(), writable: false);
        await tar.WriteEntryAsync(
            new GnuTarEntry(TarEntryType.RegularFile, $"{ns}/{path}") { DataStream = data, ModificationTime = at, Mode = Mode }, cancellationToken);
    }
}
