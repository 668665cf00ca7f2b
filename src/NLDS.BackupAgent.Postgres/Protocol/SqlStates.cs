namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>The SQLSTATEs that decide something here.</summary>
internal static class SqlStates
{
    /// <summary>No pg_hba.conf entry for this user, address and encryption, or no REPLICATION privilege at connect.</summary>
    public const string InvalidAuthorization = "28000";

    public const string InsufficientPrivilege = "42501";
    public const string InvalidPassword = "28P01";

    /// <summary>The WAL segment or the history file is gone.</summary>
    public const string UndefinedFile = "58P01";

    /// <summary>The slot is held by another connection.</summary>
    public const string ObjectInUse = "55006";

    /// <summary>The slot was invalidated.</summary>
    public const string ObjectNotInPrerequisiteState = "55000";

    /// <summary>The server is starting or stopping.</summary>
    public const string CannotConnectNow = "57P03";

    public const string UndefinedObject = "42704";

    public const string DuplicateObject = "42710";

    /// <summary>A page checksum did not match during a base backup.</summary>
    public const string DataCorrupted = "XX001";
}
