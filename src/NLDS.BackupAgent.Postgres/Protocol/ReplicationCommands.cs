using System.Globalization;
using NLDS.BackupAgent.Postgres.Wal;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>The short commands of a WAL sender: each a question and one answer.</summary>
internal static class ReplicationCommands
{
    public static async Task<SystemIdentity> IdentifySystemAsync(this ReplicationConnection connection, CancellationToken cancellationToken)
    {
        var isStandby = connection.Parameters.GetValueOrDefault("in_hot_standby") == "on";
        var answer = await AskAsync(connection, "IDENTIFY_SYSTEM", cancellationToken);
        return new SystemIdentity(
            answer.Required(0, "systemid"), ParseTimeline(answer.Required(0, "timeline")), ParseLsn(answer.Required(0, "xlogpos")), answer.Text(0, "dbname"), isStandby);
    }

    /// <summary>A run-time setting, as text with its unit.</summary>
    public static async Task<string> ShowAsync(this ReplicationConnection connection, string setting, CancellationToken cancellationToken)
    {
        var answer = await AskAsync(connection, $"SHOW {setting}", cancellationToken);
        return answer.Required(0, answer.Columns[0]);
    }

    public static async Task<WalSegmentSize> ShowWalSegmentSizeAsync(this ReplicationConnection connection, CancellationToken cancellationToken)
    {
        var text = await connection.ShowAsync("wal_segment_size", cancellationToken);
        try
        {
            return WalSegmentSize.Parse(text);
        }
        catch (FormatException odd)
        {
            throw new ProtocolException(odd.Message);
        }
    }

    /// <summary>
    /// Makes a slot that holds WAL back from this moment on. The answer is not returned: its consistent_point is 0/0 for a physical slot, and starting
    /// there would be wrong. A temporary slot ends with the connection.
    /// </summary>
    /// <exception cref="PostgresServerException"><see cref="SqlStates.DuplicateObject"/>: there is one of that name already.</exception>
    public static async Task CreatePhysicalSlotAsync(
        this ReplicationConnection connection, string slot, bool temporary, CancellationToken cancellationToken)
    {
        var reserve = connection.ServerMajorVersion >= 15 ? "(RESERVE_WAL)" : "RESERVE_WAL";
        await connection.QueryAsync(
            $"CREATE_REPLICATION_SLOT {QuoteName(slot)}{(temporary ? " TEMPORARY" : "")} PHYSICAL {reserve}", cancellationToken);
    }

    /// <exception cref="PostgresServerException"><see cref="SqlStates.ObjectInUse"/>: somebody streams from it.</exception>
    public static async Task DropSlotAsync(this ReplicationConnection connection, string slot, CancellationToken cancellationToken) =>
        await connection.QueryAsync($"DROP_REPLICATION_SLOT {QuoteName(slot)}", cancellationToken);

    /// <summary>What a slot holds back, or null when there is no such slot.</summary>
    /// <exception cref="NotSupportedException">The server is older than 15; ask pg_replication_slots by SQL there.</exception>
    public static async Task<SlotPosition?> ReadReplicationSlotAsync(
        this ReplicationConnection connection, string slot, CancellationToken cancellationToken)
    {
        if (connection.ServerMajorVersion < 15)
        {
            throw new NotSupportedException("PostgreSQL has READ_REPLICATION_SLOT since version 15; query pg_replication_slots instead.");
        }

        var answer = await AskAsync(connection, $"READ_REPLICATION_SLOT {QuoteName(slot)}", cancellationToken);
        if (answer.Text(0, "slot_type") is null)
        {
            return null; // three NULLs stand for a slot that does not exist
        }

        return new SlotPosition(
            answer.Text(0, "restart_lsn") is { } lsn ? ParseLsn(lsn) : null,
            answer.Text(0, "restart_tli") is { } timeline ? ParseTimeline(timeline) : null);
    }

    /// <summary>Fetches a timeline's history file. Timeline 1 has none: the server would answer with an error.</summary>
    public static async Task<HistoryFile> TimelineHistoryAsync(
        this ReplicationConnection connection, uint timeline, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(timeline, 2u);
        var answer = await AskAsync(connection, $"TIMELINE_HISTORY {timeline}", cancellationToken);
        var content = answer.Bytes(0, "content") ?? throw new ProtocolException("The server sent a history file without content.");
        return new HistoryFile(answer.Required(0, "filename"), content);
    }

    /// <summary>Streams WAL from a position on; see <see cref="WalStream"/>. Without a slot the server may remove WAL that we have not read.</summary>
    /// <exception cref="PostgresServerException"><see cref="SqlStates.ObjectInUse"/>: another connection holds the slot.</exception>
    public static Task<WalStream> StartReplicationAsync(
        this ReplicationConnection connection, string? slot, Lsn start, uint timeline, CancellationToken cancellationToken) =>
        WalStream.StartAsync(connection, slot, start, timeline, cancellationToken);

    /// <summary>Takes a base backup; see <see cref="BaseBackupStream"/>. Returns when the server has made its checkpoint and knows what it will send.</summary>
    public static Task<BaseBackupStream> BaseBackupAsync(
        this ReplicationConnection connection, BaseBackupOptions options, CancellationToken cancellationToken) =>
        BaseBackupStream.StartAsync(connection, options, cancellationToken);

    internal static uint ParseTimeline(string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var timeline) && timeline != 0
            ? timeline
            : throw new ProtocolException($"The server calls a timeline '{text}'; expected a number above zero.");

    internal static Lsn ParseLsn(string text) =>
        Lsn.TryParse(text, out var lsn) ? lsn : throw new ProtocolException($"The server calls a position '{text}'; expected two hexadecimal numbers such as 16/B374D848.");

    internal static string QuoteName(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private static async Task<ResultSet> AskAsync(ReplicationConnection connection, string command, CancellationToken cancellationToken)
    {
        var results = await connection.QueryAsync(command, cancellationToken);
        return results is [{ Rows.Count: 1, Columns.Count: > 0 } answer]
            ? answer
            : throw new ProtocolException($"The server answered {command} with {results.Count} results; expected one row.");
    }
}
