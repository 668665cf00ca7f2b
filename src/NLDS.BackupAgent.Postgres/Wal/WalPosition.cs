using System.Globalization;

namespace NLDS.BackupAgent.Postgres.Wal;

/// <summary>Writes a WAL position as PostgreSQL does: two hexadecimal halves.</summary>
internal static class WalPosition
{
    public static string Format(ulong position) => string.Create(CultureInfo.InvariantCulture, $"{position >> 32:X}/{(uint)position:X}");
}
