using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using NLDS.BackupAgent.Postgres.Protocol;

namespace NLDS.BackupAgent.Postgres.Lineage;

/// <summary>
/// Names one restore: <c>20261123_140317_5f0c2a9be1d34476</c>, its second and 64 random bits. A restored directory carries it as the setting <c>nlds.restored</c>,
/// which PostgreSQL keeps without knowing it (manual, 20.16), so that whoever meets the server can tell that it is a copy.
/// </summary>
internal readonly record struct RestoreId
{
    public const string Setting = "nlds.restored";

    private const string TimeFormat = "yyyyMMdd_HHmmss";
    private const int RandomBytes = 8;

    private static readonly SearchValues<char> LowerHexadecimal = SearchValues.Create("0123456789abcdef");

    private readonly string value;

    private RestoreId(string value, DateTimeOffset at) => (this.value, At) = (value, at);

    /// <summary>When it was restored, by the clock of that machine.</summary>
    public DateTimeOffset At { get; }

    public static RestoreId New(DateTimeOffset now)
    {
        var text = $"{now.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture)}_{RandomNumberGenerator.GetHexString(2 * RandomBytes, lowercase: true)}";
        return TryParse(text, out var id) ? id : throw new InvalidOperationException(text);
    }

    public static bool TryParse(string text, out RestoreId id)
    {
        var isOne = text.Length == TimeFormat.Length + 1 + (2 * RandomBytes)
            && text[TimeFormat.Length] == '_'
            && !text.AsSpan(TimeFormat.Length + 1).ContainsAnyExcept(LowerHexadecimal);
        id = default;
        if (isOne && DateTimeOffset.TryParseExact(
            text.AsSpan(0, TimeFormat.Length), TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at))
        {
            id = new RestoreId(text, at);
            return true;
        }

        return false;
    }

    /// <summary>What a server says of itself: null when it was never restored by this program.</summary>
    /// <exception cref="ProtocolException">The setting is there and holds something else.</exception>
    public static async Task<RestoreId?> ReadAsync(ReplicationConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            var text = await connection.ShowAsync(Setting, cancellationToken);
            return text.Length == 0 ? null
                : TryParse(text, out var id) ? id
                : throw new ProtocolException($"The server's setting {Setting} is '{text}', which no restore has written. Remove it from postgresql.auto.conf and reload.");
        }
        catch (PostgresServerException unknown) when (unknown.SqlState == SqlStates.UndefinedObject)
        {
            return null;
        }
    }

    public override string ToString() => value;
}
