namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>libpq's sslmode, with libpq's meaning.</summary>
internal enum SslMode
{
    /// <summary>Plain only.</summary>
    Disable,

    /// <summary>Plain first; TLS when the server refuses that.</summary>
    Allow,

    /// <summary>TLS first; plain when the server has none or refuses it. Protects against nobody who can write to the wire.</summary>
    Prefer,

    /// <summary>TLS; the certificate is looked at only when a root certificate is configured, as with <see cref="VerifyCa"/>.</summary>
    Require,

    /// <summary>TLS with a certificate that a configured root has signed, for whatever name.</summary>
    VerifyCa,

    /// <summary>TLS with a certificate that a configured root has signed for this host's name.</summary>
    VerifyFull,
}
