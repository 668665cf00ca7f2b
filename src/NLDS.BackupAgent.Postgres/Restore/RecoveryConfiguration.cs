using System.Globalization;
using System.Text;
using NLDS.BackupAgent.Postgres.Lineage;

namespace NLDS.BackupAgent.Postgres.Restore;

/// <summary>
/// The settings that make a restored directory recover to the planned place and promote, and keep it away from everything that belongs to the original. They go
/// behind what <c>postgresql.auto.conf</c> has: the last one wins. Pure.
/// </summary>
internal static class RecoveryConfiguration
{
    public const string FileName = "postgresql.auto.conf";
    public const string SignalFile = "recovery.signal";

    /// <summary>
    /// The server runs it in its data directory when it has recovered and removed its signal file. What is left would go with every copy of the server: a standby would
    /// look for a timeline that it lacks, or stop at the target for ever. The new file is on the disk before it takes the old one's place: an empty one would let
    /// go of what severs the copy from its original.
    /// </summary>
    private const string Clear =
        $"""sed -E "/^(restore_command|recovery_target[a-z_]*|recovery_end_command) /d" {FileName} > {FileName}.new && sync {FileName}.new && mv {FileName}.new {FileName}""";

    private const string Begin = "# begin: written by nlds restore";
    private const string End = "# end: written by nlds restore";

    /// <summary>These would connect the copy to the original's partners: its archive, its standbys, its upstream.</summary>
    private static readonly (string Name, string Value)[] Severed =
    [
        ("archive_mode", "off"),
        ("archive_command", ""),
        ("archive_cleanup_command", ""),
        ("primary_conninfo", ""),
        ("primary_slot_name", ""),
        ("synchronous_standby_names", ""),
        // A delayed standby's setting would hold up a recovery to a target as well.
        ("recovery_min_apply_delay", "0"),
    ];

    /// <summary>Targets that an earlier recovery may have left; PostgreSQL refuses more than one.</summary>
    private static readonly string[] OtherTargets = ["recovery_target", "recovery_target_name", "recovery_target_time", "recovery_target_xid"];

    public static string Write(string existing, PostgresRestorePlan plan, int majorVersion, RestoreId restore)
    {
        var text = new StringBuilder(WithoutOurs(existing));
        if (text.Length > 0 && text[^1] != '\n')
        {
            text.Append('\n');
        }

        text.Append(CultureInfo.InvariantCulture, $"{Begin} from base backup {plan.BackupId}; {plan.Target}\n");
        foreach (var (name, value) in Severed)
        {
            text.Append(CultureInfo.InvariantCulture, $"{name} = '{value}'\n");
        }

        foreach (var name in OtherTargets)
        {
            text.Append(CultureInfo.InvariantCulture, $"{name} = ''\n");
        }

        if (majorVersion >= 15)
        {
            text.Append("archive_library = ''\n");
        }

        text.Append("# A copy may not write into the original's archive until somebody says that it takes its place: the agent's --adopt.\n");
        text.Append(CultureInfo.InvariantCulture, $"{RestoreId.Setting} = '{restore}'\n");
        text.Append("# All WAL that recovery needs lies in pg_wal already; a status of 1 tells PostgreSQL to look there.\n");
        text.Append("restore_command = 'exit 1'\n");
        text.Append(CultureInfo.InvariantCulture, $"recovery_target_timeline = '{plan.Timeline}'\n");
        text.Append(CultureInfo.InvariantCulture, $"recovery_target_lsn = '{plan.Stop.Record}'\n");
        text.Append(CultureInfo.InvariantCulture, $"recovery_target_inclusive = '{(plan.Stop.Inclusive ? "on" : "off")}'\n");
        text.Append("recovery_target_action = 'promote'\n");
        text.Append(CultureInfo.InvariantCulture, $"recovery_end_command = '{Clear}'\n");
        return text.Append(End).Append('\n').ToString();
    }

    /// <summary>Drops what an earlier restore of this program wrote.</summary>
    private static string WithoutOurs(string existing)
    {
        var kept = new StringBuilder();
        var inside = false;
        foreach (var line in existing.Split('\n').SkipLast(existing.EndsWith('\n') ? 1 : 0))
        {
            inside |= line.StartsWith(Begin, StringComparison.Ordinal);
            if (!inside)
            {
                kept.Append(line).Append('\n');
            }

            inside &= line != End;
        }

        return kept.ToString();
    }

    /// <summary>
    /// For a cluster whose configuration lies outside of its data directory (as Debian does it) and so is not in the backup: enough to start and to let the
    /// owner in.
    /// </summary>
    public static IEnumerable<(string Name, string Content)> Missing(string directory, IReadOnlyDictionary<string, string> settings)
    {
        const string note = "# Written by nlds restore: the original's file lay outside of its data directory and is not in the backup.\n";
        if (!File.Exists(Path.Combine(directory, "postgresql.conf")))
        {
            yield return ("postgresql.conf", note + string.Concat(settings.Select(s => $"{s.Key} = '{s.Value}'\n")));
        }

        if (!File.Exists(Path.Combine(directory, "pg_hba.conf")))
        {
            yield return ("pg_hba.conf", note + "local all all peer\nhost all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 scram-sha-256\n");
        }

        if (!File.Exists(Path.Combine(directory, "pg_ident.conf")))
        {
            yield return ("pg_ident.conf", note);
        }
    }

    /// <summary>One line for each tablespace, as the server writes it (basebackup.c): the oid, a space, the directory with backslashes and line ends escaped.</summary>
    public static string TablespaceMap(IReadOnlyDictionary<string, string> directories) => string.Concat(
        directories.Select(d => $"{d.Key} {d.Value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\\n", StringComparison.Ordinal)
            .Replace("\r", "\\\r", StringComparison.Ordinal)}\n"));
}
