using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using NLDS.BackupAgent.Redis.Protocol;

namespace NLDS.BackupAgent.Redis.Lineage;

/// <summary>
/// What tells a restored server from others. Redis has no place for such a word: an RDB file's fields are not kept, and a key or a function would be data. But a script
/// that an append-only file loads is in the server's cache, does nothing, and is asked for by its SHA-1. It is there again after every start until the server has rewritten
/// the file; a server with <c>appendonly no</c> never has it.
/// </summary>
internal static class RestoreMark
{
    /// <summary>Every restore loads it.</summary>
    private const string AnyRestore = "-- nlds restored";

    /// <summary>Names one restore: its second and 64 random bits.</summary>
    public static string NewId(DateTimeOffset now) =>
        $"{now.UtcDateTime.ToString("yyyyMMdd_HHmmss", CultureInfo.InvariantCulture)}_{RandomNumberGenerator.GetHexString(16, lowercase: true)}";

    /// <summary>The commands that leave the mark, for the end of an append-only file.</summary>
    public static byte[] Commands(string restoreId) =>
        [.. RespRequest.Encode("SCRIPT", "LOAD", AnyRestore), .. RespRequest.Encode("SCRIPT", "LOAD", Script(restoreId))];

    /// <summary>Asks a server for the mark, and of which of these restores it is.</summary>
    /// <returns>Not restored also where the user may not ask (<c>+script|exists</c>).</returns>
    public static async Task<(bool IsRestored, string? RestoreId)> ReadAsync(RedisConnection connection, IReadOnlyList<string> restoreIds, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await connection.AskAsync(cancellationToken, ["SCRIPT", "EXISTS", Sha1(AnyRestore), .. restoreIds.Select(id => Sha1(Script(id)))]);
            var there = answer.Items is { } items && items.Count == restoreIds.Count + 1 ? items : [];
            return (there.Count > 0 && there[0].Integer == 1, restoreIds.Where((_, index) => there.Count > 0 && there[index + 1].Integer == 1).LastOrDefault());
        }
        catch (RedisErrorException)
        {
            return (false, null);
        }
    }

    private static string Script(string restoreId) => $"{AnyRestore} {restoreId}";

#pragma warning disable CA5350 // It is the name that Redis gives a script, and protects nothing.
    private static string Sha1(string script) => Convert.ToHexStringLower(SHA1.HashData(Encoding.ASCII.GetBytes(script)));
#pragma warning restore CA5350
}
