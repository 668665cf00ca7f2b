using System.Text.Json;
using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Kubernetes.Api;

/// <summary>
/// Reads all objects of a kind in pages. A list is of one moment only while its pages come quickly: after some minutes the server forgets that moment (410). Then the list
/// is begun anew; when too much of it has been handed on for that, it goes on with what is there now, and says so.
/// </summary>
internal sealed class ObjectLister(KubernetesApi api)
{
    private const int FirstPage = 50;
    private const int LargestPage = 500;

    /// <summary>A page is made to be about this long, so that a few large objects and many small ones take the same memory.</summary>
    private const int PageBytes = 1 << 20;

    /// <summary>So much is held back until it is known that the list is of one moment, or too long for that.</summary>
    private const int HeldBytes = 4 << 20;

    /// <summary>Lists that expire again and again mean a server in need, or a very slow one.</summary>
    private const int Restarts = 3;

    /// <param name="path">Of a collection.</param>
    /// <param name="handle">Gets each object once, as it is in the list: often without kind and apiVersion.</param>
    /// <returns>Of what revision the list is, and whether it is of one moment.</returns>
    public async Task<(string Revision, bool IsConsistent)> ListAsync(string path, Func<JsonElement, ValueTask> handle, CancellationToken cancellationToken)
    {
        var held = new List<JsonDocument>();
        try
        {
            return await ReadAsync(path, held, handle, cancellationToken);
        }
        catch (Exception odd) when (odd is KeyNotFoundException or InvalidOperationException)
        {
            throw new SourceException($"{api.Connection.Server} answered {path} with what is no list: {odd.Message}", isPermanent: false, odd);
        }
        finally
        {
            held.ForEach(page => page.Dispose());
        }
    }

    private async Task<(string Revision, bool IsConsistent)> ReadAsync(
        string path, List<JsonDocument> held, Func<JsonElement, ValueTask> handle, CancellationToken cancellationToken)
    {
        var (limit, next, restarts, heldBytes, isHandedOn, isConsistent) = (FirstPage, (string?)null, 0, 0L, false, true);
        while (true)
        {
            JsonDocument page;
            try
            {
                var sized = limit == 0 ? "" : $"?limit={limit}";
                page = await api.GetAsync(path + sized + (next is null ? "" : $"&continue={Uri.EscapeDataString(next)}"), cancellationToken);
            }
            catch (ApiException expired) when (expired.IsExpired)
            {
                if (!isHandedOn)
                {
                    held.ForEach(p => p.Dispose());
                    held.Clear();
                    // At last in one piece, which cannot expire.
                    (next, heldBytes, limit) = (null, 0, ++restarts > Restarts ? 0 : limit);
                    continue;
                }

                next = expired.Continue ?? throw new ApiException(expired.Code, expired.Reason, expired.Message);
                isConsistent = false;
                continue;
            }

            held.Add(page);
            var (items, bytes) = Measure(page);
            heldBytes += bytes;
            var metadata = page.RootElement.GetProperty("metadata");
            var revision = metadata.TryGetProperty("resourceVersion", out var version) ? version.GetString() ?? "" : "";
            next = metadata.TryGetProperty("continue", out var token) && token.GetString() is { Length: > 0 } more ? more : null;
            if (next is null || heldBytes > HeldBytes)
            {
                isHandedOn = true;
                foreach (var ready in held)
                {
                    await HandOnAsync(ready, handle);
                    ready.Dispose();
                }

                held.Clear();
                heldBytes = 0;
            }

            if (next is null)
            {
                return (revision, isConsistent);
            }

            limit = items == 0 ? limit : (int)Math.Clamp(PageBytes / Math.Max(1, bytes / items), 10, LargestPage);
        }
    }

    private static async ValueTask HandOnAsync(JsonDocument page, Func<JsonElement, ValueTask> handle)
    {
        // A list without items may be written as null.
        if (page.RootElement.TryGetProperty("items", out var items) && items.ValueKind == JsonValueKind.Array)
        {
            foreach (var item in items.EnumerateArray())
            {
                await handle(item);
            }
        }
    }

    private static (int Items, long Bytes) Measure(JsonDocument page)
    {
        var count = page.RootElement.TryGetProperty("items", out var items) && items.ValueKind == JsonValueKind.Array ? items.GetArrayLength() : 0;
        return (count, System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(page.RootElement).Length);
    }
}
