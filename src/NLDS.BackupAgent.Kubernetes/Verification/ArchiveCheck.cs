using System.Buffers;
using System.Collections.Concurrent;
using System.Formats.Tar;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text.Json;
using NLDS.BackupAgent.Kubernetes.Backup;
using NLDS.BackupAgent.Kubernetes.Objects;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Kubernetes.Verification;

/// <summary>An archive is tar, ends with its index, and holds each file that the index names with its hash, and no other; each object is JSON and is the one it should be.</summary>
internal sealed class ArchiveCheck : IBackupCheck
{
    private readonly ConcurrentBag<Reading> begun = [];

    public IContentCheck Begin(BackupObject content)
    {
        var reading = new Reading();
        begun.Add(reading);
        return reading;
    }

    public string? FindContradiction() => null;

    public void Dispose()
    {
        foreach (var reading in begun)
        {
            reading.Abandon();
        }
    }

    private sealed class Reading : IContentCheck
    {
        /// <summary>Bytes that may wait between the one who hands them over and the one who reads tar.</summary>
        private const int Waiting = 1 << 20;

        private readonly Pipe pipe = new(new PipeOptions(pauseWriterThreshold: Waiting, resumeWriterThreshold: Waiting / 2, useSynchronizationContext: false));
        private readonly Task reading;

        public Reading() => reading = Task.Run(ReadAsync);

        public void Feed(ReadOnlySpan<byte> bytes)
        {
            // A reader that has found a fault takes no more, and says so at the end.
            pipe.Writer.Write(bytes);
            var flushed = pipe.Writer.FlushAsync();
            if (!flushed.IsCompleted)
            {
                flushed.AsTask().GetAwaiter().GetResult();
            }
        }

        public void Complete()
        {
            pipe.Writer.Complete();
            reading.GetAwaiter().GetResult();
        }

        /// <summary>For one that was never completed; nothing otherwise.</summary>
        public void Abandon() => pipe.Writer.Complete();

        private async Task ReadAsync()
        {
            try
            {
                await CheckAsync(pipe.Reader.AsStream());
            }
            catch (Exception damage) when (damage is EndOfStreamException or FormatException or IOException or InvalidOperationException or ArgumentException or OverflowException)
            {
                throw new InvalidDataException($"it is not a whole tar archive: {damage.Message}", damage);
            }
            finally
            {
                await pipe.Reader.CompleteAsync();
            }
        }

        private static async Task CheckAsync(Stream stream)
        {
            var hashes = new Dictionary<string, string>();
            BackupIndex? index = null;
            await using (var tar = new TarReader(stream, leaveOpen: true))
            {
                while (await tar.GetNextEntryAsync() is { } entry)
                {
                    var path = ArchiveReader.PathOf(entry.Name);
                    if (index is not null || entry.EntryType != TarEntryType.RegularFile || !IsPlain(entry.Name))
                    {
                        throw new InvalidDataException($"it has the entry '{entry.Name}', which was not put there");
                    }

                    var bytes = await ArchiveReader.ReadEntryAsync(entry, CancellationToken.None);
                    if (path == ArchiveWriter.IndexName)
                    {
                        index = ArchiveReader.TryParse(bytes) ?? throw new InvalidDataException("its index cannot be read");
                        continue;
                    }

                    hashes[path] = Convert.ToHexStringLower(SHA256.HashData(bytes));
                    if (path.StartsWith("raw/", StringComparison.Ordinal))
                    {
                        RequireObject(path, bytes);
                    }
                }
            }

            await stream.CopyToAsync(Stream.Null);
            Compare(index ?? throw new InvalidDataException("it has no index"), hashes);
        }

        private static void RequireObject(string path, byte[] bytes)
        {
            try
            {
                using var document = JsonDocument.Parse(bytes, JsonPaths.Strict);
                var name = document.RootElement.GetProperty("metadata").GetProperty("name").GetString();
                if (Path.GetFileNameWithoutExtension(path) != name || document.RootElement.GetProperty("kind").GetString() is null)
                {
                    throw new InvalidDataException($"'{path}' holds another object");
                }
            }
            catch (Exception odd) when (odd is JsonException or KeyNotFoundException or InvalidOperationException)
            {
                throw new InvalidDataException($"'{path}' is not an object: {odd.Message}");
            }
        }

        private static void Compare(BackupIndex index, Dictionary<string, string> hashes)
        {
            var named = index.Objects.Select(o => KeyValuePair.Create(o.Path, o.Sha256)).Concat(index.Files).ToList();
            foreach (var (path, sha256) in named)
            {
                if (!hashes.Remove(path, out var found) || found != sha256)
                {
                    throw new InvalidDataException($"'{path}' is not in it as its index says");
                }
            }

            if (hashes.Count > 0)
            {
                throw new InvalidDataException($"it holds '{hashes.Keys.First()}', which its index does not name");
            }
        }

        private static bool IsPlain(string name) => !name.StartsWith('/') && !name.Split('/').Contains("..");
    }
}
