namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>What one attempt to connect does about TLS.</summary>
internal enum Encryption
{
    Never,
    IfOffered,
    Always,
}
