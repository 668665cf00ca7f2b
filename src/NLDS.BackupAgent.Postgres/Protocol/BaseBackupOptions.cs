namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>What to ask of BASE_BACKUP. The manifest is always asked for, and the wait for the server's own archiving never.</summary>
internal sealed record BaseBackupOptions
{
    /// <summary>Stands in the backup_label file.</summary>
    public required string Label { get; init; }

    /// <summary>Checkpoint at once, instead of spreading it over minutes before the first byte.</summary>
    public bool FastCheckpoint { get; init; } = true;

    /// <summary>Kilobytes per second that the server sends at most, 32 to 1048576; null for as fast as it goes.</summary>
    public int? MaxRateKb { get; init; }

    /// <summary>NONE, CRC32C, SHA224, SHA256, SHA384 or SHA512: what the server writes into its manifest for every file.</summary>
    public string ManifestChecksums { get; init; } = "SHA256";

    /// <summary>A tablespace_map file instead of symbolic links, so that a restore can move tablespaces.</summary>
    public bool TablespaceMap { get; init; } = true;

    /// <summary>Let the server check the checksum of every page, where the cluster has them.</summary>
    public bool VerifyChecksums { get; init; } = true;

    /// <summary>Only what changed since the backup whose manifest was uploaded on this connection; PostgreSQL 17 and later.</summary>
    public bool Incremental { get; init; }

    /// <summary>The command in the grammar of the server's version.</summary>
    public string ToCommand(int serverMajorVersion) => serverMajorVersion >= 15 ? Modern() : Legacy();

    private string Modern()
    {
        List<string> options =
        [
            $"LABEL {Quote(Label)}",
            "PROGRESS",
            $"CHECKPOINT {(FastCheckpoint ? "'fast'" : "'spread'")}",
            "WAIT false",
            $"VERIFY_CHECKSUMS {(VerifyChecksums ? "true" : "false")}",
            "MANIFEST 'yes'",
            $"MANIFEST_CHECKSUMS {Quote(ManifestChecksums)}",
            "TARGET 'client'",
        ];
        if (TablespaceMap)
        {
            options.Add("TABLESPACE_MAP");
        }

        if (MaxRateKb is { } rate)
        {
            options.Add($"MAX_RATE {rate}");
        }

        if (Incremental)
        {
            options.Add("INCREMENTAL");
        }

        return $"BASE_BACKUP ({string.Join(", ", options)})";
    }

    private string Legacy() =>
        $"BASE_BACKUP LABEL {Quote(Label)} PROGRESS"
        + (FastCheckpoint ? " FAST" : "")
        + " NOWAIT"
        + (MaxRateKb is { } rate ? $" MAX_RATE {rate}" : "")
        + (TablespaceMap ? " TABLESPACE_MAP" : "")
        + (VerifyChecksums ? "" : " NOVERIFY_CHECKSUMS")
        + $" MANIFEST 'yes' MANIFEST_CHECKSUMS {Quote(ManifestChecksums)}";

    private static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
