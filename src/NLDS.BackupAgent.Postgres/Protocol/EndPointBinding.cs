using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace NLDS.BackupAgent.Postgres.Protocol;

/// <summary>Channel binding "tls-server-end-point" (RFC 5929): a hash of the server's certificate.</summary>
internal static class EndPointBinding
{
    /// <summary>
    /// The hash is that of the certificate's own signature, but SHA-256 in place of MD5 and SHA-1. Null where the RFC defines none (Ed25519) or
    /// where the algorithm hides in parameters (RSA-PSS); then SCRAM goes unbound.
    /// </summary>
    public static byte[]? Hash(X509Certificate2 certificate) => certificate.SignatureAlgorithm.Value switch
    {
        "1.2.840.113549.1.1.4" or "1.2.840.113549.1.1.5" or "1.2.840.113549.1.1.11" // RSA with MD5, SHA-1, SHA-256
            or "1.2.840.10045.4.1" or "1.2.840.10045.4.3.2" => SHA256.HashData(certificate.RawDataMemory.Span), // ECDSA with SHA-1, SHA-256
        "1.2.840.113549.1.1.12" or "1.2.840.10045.4.3.3" => SHA384.HashData(certificate.RawDataMemory.Span),
        "1.2.840.113549.1.1.13" or "1.2.840.10045.4.3.4" => SHA512.HashData(certificate.RawDataMemory.Span),
        _ => null,
    };
}
